//! Reads and checks a verified token's claims: types, times, issuer and audience.

use serde::Deserialize;
use serde_json::Value;

use super::token::{given, kind, not_text, object};
use super::{Claims, unauthorized};
use crate::error::{Code, Error};
use crate::limits::{TOKEN_LEEWAY_S, TOKEN_SUBJECT_BYTES_MAX, TOKEN_TIME_MAX_S};

/// The issuer and audience that the configuration requires; empty: any.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: String,
}

#[derive(Deserialize)]
struct RawClaims {
    #[serde(default, deserialize_with = "given")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    scope: Option<Value>,
}

/// Reads the claims of a token whose signature was verified.
///
/// # Errors
/// `token_expired` or `unauthorized`, naming the claim.
pub(super) fn read(payload: &[u8], expected: &Expected, now_s: f64) -> Result<Claims, Error> {
    let raw: RawClaims = object(payload, "the claims part")?;
    let sub = subject(raw.sub)?;
    let exp = number("exp", raw.exp)?.ok_or_else(|| unauthorized("`exp` is missing"))?;
    let nbf = number("nbf", raw.nbf)?;
    // Only the type is checked: `iat` is the time of issue, and the issuer's clock may be ahead.
    number("iat", raw.iat)?;
    check_times(exp, nbf, now_s)?;
    check_issuer(raw.iss, &expected.issuer)?;
    check_audience(raw.aud, &expected.audience)?;
    Ok(Claims { sub, exp, nbf, scope: scope(raw.scope)? })
}

/// The subject: a user id or the name of a service, which need not be a valid user id.
fn subject(sub: Option<Value>) -> Result<String, Error> {
    let sub = match sub {
        None => return Err(unauthorized("`sub` is missing")),
        Some(Value::String(sub)) => sub,
        Some(other) => return Err(not_text("sub", &other)),
    };
    if sub.is_empty() {
        return Err(unauthorized("`sub` is empty"));
    }
    if sub.len() > TOKEN_SUBJECT_BYTES_MAX {
        let problem = format!("`sub` is longer than {TOKEN_SUBJECT_BYTES_MAX} bytes");
        return Err(unauthorized(problem));
    }
    // It becomes part of an idempotency key, and neither database can store U+0000 in text.
    if sub.chars().any(char::is_control) {
        return Err(unauthorized("`sub` contains a control character"));
    }
    Ok(sub)
}

/// Scopes separated by spaces (RFC 8693 §4.2).
fn scope(scope: Option<Value>) -> Result<String, Error> {
    match scope {
        None => Ok(String::new()),
        Some(Value::String(scope)) => Ok(scope),
        Some(other) => Err(unauthorized(format!(
            "`scope` is {}: must be a text of scopes separated by spaces",
            kind(&other)
        ))),
    }
}

/// A NumericDate (RFC 7519 §2): seconds since the Unix epoch, possibly with a fraction.
fn number(name: &str, value: Option<Value>) -> Result<Option<f64>, Error> {
    match value {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(unauthorized(format!("`{name}` is not a number but {}", kind(&value)))),
        },
    }
}

fn check_times(exp: f64, nbf: Option<f64>, now_s: f64) -> Result<(), Error> {
    let leeway_s = TOKEN_LEEWAY_S as f64;
    if now_s >= exp + leeway_s {
        return Err(Error::new(Code::TokenExpired, "the token has expired"));
    }
    if exp > TOKEN_TIME_MAX_S {
        let problem = "`exp` is beyond the year 9999: it counts seconds, not milliseconds";
        return Err(unauthorized(problem));
    }
    if nbf.is_some_and(|nbf| nbf - leeway_s > now_s) {
        return Err(unauthorized("the token is not valid yet: `nbf` is in the future"));
    }
    Ok(())
}

/// A string (RFC 7519 §4.1.1), whether or not an issuer is required.
fn check_issuer(iss: Option<Value>, expected: &str) -> Result<(), Error> {
    match iss {
        Some(Value::String(iss)) if expected.is_empty() || iss == expected => Ok(()),
        Some(Value::String(_)) => Err(unauthorized("`iss` is not the expected issuer")),
        Some(other) => Err(not_text("iss", &other)),
        None if expected.is_empty() => Ok(()),
        None => Err(unauthorized("`iss` is missing")),
    }
}

/// A string or an array of strings (RFC 7519 §4.1.3).
fn check_audience(aud: Option<Value>, expected: &str) -> Result<(), Error> {
    let all = match aud {
        None if expected.is_empty() => return Ok(()),
        None => return Err(unauthorized("`aud` is missing")),
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
    };
    if !all.iter().all(Value::is_string) {
        return Err(unauthorized("`aud` is neither text nor an array of texts"));
    }
    match expected.is_empty() || all.iter().any(|one| one == expected) {
        true => Ok(()),
        false => Err(unauthorized("`aud` does not name the expected audience")),
    }
}
