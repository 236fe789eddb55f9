//! Splits and decodes a compact JWS (RFC 7515 §7.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::unauthorized;
use crate::error::Error;
use crate::json::quoted;

/// Characters of a client's text that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// The three parts, still encoded.
pub(super) struct Token<'a> {
    header: &'a str,
    payload: &'a str,
    pub(super) signature: &'a str,
    /// Header and payload, as signed.
    pub(super) signed: &'a str,
}

/// The header members that select the key.
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
}

#[derive(Deserialize)]
struct RawHeader {
    #[serde(default, deserialize_with = "given")]
    alg: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    kid: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, Error> {
        if token.is_empty() {
            return Err(unauthorized("the token is empty"));
        }
        let parts: Vec<&str> = token.splitn(6, '.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(unauthorized(match parts.len() {
                1 => "the token has one part, not three",
                2 => "the token has two parts, not three",
                4 => "the token has four parts, not three",
                5 => "the token has five parts, not three: it is encrypted (JWE)",
                _ => "the token has more than three parts",
            }));
        };
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self { header, payload, signature, signed })
    }

    pub(super) fn header(&self) -> Result<Header, Error> {
        let bytes = decoded(self.header, "header")?;
        let raw: RawHeader = object(&bytes, "the token's header")?;
        let alg = match raw.alg {
            Some(Value::String(alg)) if alg.eq_ignore_ascii_case("none") => {
                return Err(unauthorized("`alg` is none: an unsigned token proves nothing"));
            }
            Some(Value::String(alg)) => alg,
            Some(other) => return Err(not_text("alg", &other)),
            None => return Err(unauthorized("`alg` is missing in the token's header")),
        };
        // A verifier must understand or reject every critical extension (RFC 7515 §4.1.11).
        if raw.crit.is_some() {
            return Err(unauthorized(
                "the header has `crit`, and no critical extension is supported",
            ));
        }
        match raw.kid {
            None => Ok(Header { alg, kid: None }),
            Some(Value::String(kid)) => Ok(Header { alg, kid: Some(kid) }),
            Some(other) => Err(not_text("kid", &other)),
        }
    }

    /// The JSON text of the claims.
    pub(super) fn payload(&self) -> Result<Vec<u8>, Error> {
        decoded(self.payload, "claims")
    }

    pub(super) fn check_signature_text(&self) -> Result<(), Error> {
        match self.signature {
            "" => Err(unauthorized("the token has no signature")),
            text => decoded(text, "signature").map(drop),
        }
    }
}

fn decoded(text: &str, what: &str) -> Result<Vec<u8>, Error> {
    let problem = |_| unauthorized(format!("the token's {what} is not base64url"));
    BASE64URL.decode(text).map_err(problem)
}

/// Parses an object whose names are unique (RFC 7519 §4).
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Error> {
    // A struct would also deserialise from an array.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let parsed = serde_json::from_slice(bytes);
    parsed
        .ok()
        .filter(|_| is_object)
        .ok_or_else(|| unauthorized(format!("{what} is not a JSON object with unique names")))
}

/// The members of an object, whose names must be unique.
pub(super) struct Members(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;
        impl<'de> Visitor<'de> for Unique {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name twice"));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Unique).map(Self)
    }
}

/// Distinguishes a member that is null from a missing one.
pub(super) fn given<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(super) fn not_text(name: &str, value: &Value) -> Error {
    unauthorized(format!("`{name}` is not text but {}", kind(value)))
}

/// The type of a value, for errors that must not contain it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A client's text in quotes, shortened.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", quoted(text.get(..end).unwrap_or_default())),
        None => quoted(text),
    }
}
