//! Idempotency keys of requests: what they may look like, and where they stand.

use shared::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use shared::{Code, Error};

use super::Request;

/// The header `Idempotency-Key`, if there is one.
///
/// # Errors
/// `invalid_field` or `limit_exceeded`.
pub fn key_of(request: &Request) -> Result<Option<String>, Error> {
    let Some(key) = request.header_or_invalid("idempotency-key")? else { return Ok(None) };
    check_key(key, "Idempotency-Key")?;
    Ok(Some(key.to_owned()))
}

/// Validates an idempotency key; `field` names it in the error.
///
/// # Errors
/// `invalid_field` or `limit_exceeded`.
pub fn check_key(key: &str, field: &str) -> Result<(), Error> {
    if key.is_empty() || !key.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        let problem = format!("`{field}` must be printable ASCII and not empty");
        return Err(Error::field(Code::InvalidField, field, problem));
    }
    if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let problem = format!("`{field}` may have at most {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
        return Err(Error::field(Code::LimitExceeded, field, problem));
    }
    Ok(())
}
