//! The form of answers over HTTP, without routes.

pub mod problem;
mod request_id;

use http::header::{AUTHORIZATION, HeaderMap};
use shared::{Code, Error};

pub use request_id::RequestId;

/// The token in `Authorization`, if the header is present.
///
/// # Errors
/// `unauthorized`: the header is not `Bearer <token>`, or stands twice. A proxy may have looked at
/// the other one.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::new(Code::Unauthorized, "the header `authorization` stands twice"));
    }
    match value.to_str().unwrap_or_default().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Error::new(Code::Unauthorized, "`Authorization` is not `Bearer <token>`")),
    }
}
