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
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(invalid("contains a space, a control character or a backslash"));
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

/// Whether a URL may have this host, with or without a port. Less strict than a browser with names in
/// other alphabets: such a link opens nothing.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, rest)) => {
            let is_port = rest.is_empty() || rest.starts_with(':');
            if address.parse::<std::net::Ipv6Addr>().is_err() || !is_port {
                return false;
            }
            ("v6", rest.strip_prefix(':').unwrap_or_default())
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let is_name = !host.is_empty() && !host.contains(|c: char| "%<>[]^|:\"`{}".contains(c));
    is_name && (port.is_empty() || port.parse::<u16>().is_ok_and(|_| !port.starts_with('+')))
}
