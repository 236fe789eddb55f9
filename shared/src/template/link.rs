//! A link: `https:`, `http:`, or a path. Fields fill path, query and fragment only, percent-encoded,
//! so that no user's field sends a click to another site.

use std::fmt::Write as _;

use super::text::{Part, Text};
use super::{Fields, FillError, Problem, invalid, too_long};
use crate::limits::TEMPLATE_LINK_BYTES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link(Text);

impl Link {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > TEMPLATE_LINK_BYTES_MAX {
            let problem = format!("has {} bytes, at most {TEMPLATE_LINK_BYTES_MAX}", text.len());
            return Err(too_long(format!("{problem} are allowed")));
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '\\') {
            return Err(invalid(format!("contains {bad:?}; other characters must be encoded")));
        }
        let parsed = Text::parse(text)?;
        let start = match parsed.parts.first() {
            Some(Part::Literal(start)) => start.as_str(),
            _ => "",
        };
        if start.starts_with('/') && !start.starts_with("//") {
            // A field after the slash alone could begin with another one, were it not encoded.
            return Ok(Self(parsed));
        }
        let authority = start.strip_prefix("https://").or_else(|| start.strip_prefix("http://"));
        let Some(authority) = authority else {
            return Err(invalid("must begin with https://, http:// or /"));
        };
        let end = authority.find(['/', '?', '#']);
        if end.is_none() && parsed.parts.len() > 1 {
            return Err(invalid("must not have a field in its host"));
        }
        let authority = authority.get(..end.unwrap_or(authority.len())).unwrap_or_default();
        if authority.contains('@') {
            return Err(invalid("contains a user or a password"));
        }
        if !is_host(authority) {
            return Err(invalid("is not a valid URL"));
        }
        Ok(Self(parsed))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names()
    }

    pub(super) fn fill(&self, fields: &Fields, field: &str) -> Result<String, FillError> {
        let link = self.0.fill_with(fields, field, |value, out| {
            for byte in value.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        out.push(char::from(byte));
                    }
                    _ => drop(write!(out, "%{byte:02X}")),
                }
            }
        })?;
        if link.len() > TEMPLATE_LINK_BYTES_MAX {
            return Err(FillError::Long { field: field.to_owned() });
        }
        Ok(link)
    }
}

/// Whether this is a host, with or without a port. A name in another alphabet has its form in ASCII.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, rest)) => {
            let is_address = !address.is_empty()
                && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
            match is_address {
                true => ("v6", rest),
                false => return false,
            }
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let is_port = match port.strip_prefix(':') {
        Some(digits) => {
            (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        }
        None => port.is_empty(),
    };
    !host.is_empty() && host.bytes().all(is_name) && is_port
}
