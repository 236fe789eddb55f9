//! Push tokens: addresses of devices. Anyone who knows one can send to its device, so no text of
//! Bellwire contains one.

use std::fmt;

use crate::digest;
use crate::error::Error;
use crate::json::Object;
use crate::limits::PUSH_TOKEN_BYTES_MAX;

/// A device's token as issued by FCM: 1–4,096 bytes without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PushToken(Box<str>);

impl PushToken {
    /// Takes an optional token from a request.
    ///
    /// # Errors
    /// `invalid_field` or `limit_exceeded`, naming the member.
    pub fn take(object: &mut Object<'_>, name: &str) -> Result<Option<Self>, Error> {
        let Some(text) = object.string(name)? else { return Ok(None) };
        if text.len() > PUSH_TOKEN_BYTES_MAX {
            let (bytes, most) = (text.len(), PUSH_TOKEN_BYTES_MAX);
            let problem = format!("has {bytes} bytes, at most {most} are allowed");
            return Err(object.beyond(name, &problem));
        }
        if text.is_empty() {
            return Err(object.invalid(name, "must not be empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(object.invalid(name, "contains a control character"));
        }
        Ok(Some(Self(text.into())))
    }

    /// Takes a required token, like [`PushToken::take`].
    ///
    /// # Errors
    /// The same, and `missing_field`.
    pub fn require(object: &mut Object<'_>, name: &str) -> Result<Self, Error> {
        match Self::take(object, name)? {
            Some(token) => Ok(token),
            None => Err(object.missing(name)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest that the record finds a token by.
    pub fn digest(&self) -> String {
        digest::of_text(&self.0)
    }
}

impl fmt::Debug for PushToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushToken({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn token(json: &str) -> Result<PushToken, Error> {
        let body = format!("{{\"token\":{json}}}");
        PushToken::require(&mut Object::parse(body.as_bytes()).unwrap(), "token")
    }

    #[test]
    fn takes_tokens_and_says_what_is_wrong() {
        assert_eq!(token(r#""a:b-c_d""#).unwrap().as_str(), "a:b-c_d");
        assert!(token(&format!("\"{}\"", "x".repeat(4096))).is_ok());
        let cases = [
            ("null".to_owned(), Code::MissingField),
            ("\"\"".to_owned(), Code::InvalidField),
            ("7".to_owned(), Code::InvalidField),
            (r#""a\nb""#.to_owned(), Code::InvalidField),
            (r#""a\u0000""#.to_owned(), Code::InvalidField),
            (format!("\"{}\"", "x".repeat(4097)), Code::LimitExceeded),
        ];
        for (json, code) in cases {
            let error = token(&json).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (code, Some("token")), "{json}");
        }
    }

    #[test]
    fn is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", token("\"secret\"").unwrap()), "PushToken(6 bytes)");
    }
}
