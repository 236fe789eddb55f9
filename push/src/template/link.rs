//! A link: `https:`, `http:`, or a path. Fields fill path, query and fragment only, percent-encoded,
//! so that no user's field sends a click to another site.

use std::fmt::Write as _;

use url::Url;

use super::text::{Part, Text};
use super::{Fields, FillError};
use crate::limits::LINK_BYTES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link(Text);

impl Link {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LINK_BYTES_MAX {
            return Err(format!("has {} bytes, at most {LINK_BYTES_MAX}", text.len()));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err("contains a space, a control character or a backslash".to_owned());
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
            return Err("must begin with https://, http:// or /".to_owned());
        };
        let has_end = authority.contains(['/', '?', '#']) || parsed.parts.len() == 1;
        if !has_end {
            return Err("must not have a field in its host".to_owned());
        }
        let url = Url::parse(start).map_err(|_| "is not a valid URL".to_owned())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("contains a user or a password".to_owned());
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
        if link.len() > LINK_BYTES_MAX {
            return Err(FillError::Long { field: field.to_owned() });
        }
        Ok(link)
    }
}
