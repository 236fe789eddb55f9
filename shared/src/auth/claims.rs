//! Reads and checks a verified token's claims: types, times, issuer and audience.

use serde_json::{Map, Value};

use super::token::{Members, kind, not_text, object};
use super::{Claims, unauthorized};
use crate::error::{Code, Error};
use crate::limits::{TOKEN_LEEWAY_S, TOKEN_SUBJECT_BYTES_MAX, TOKEN_TIME_MAX_S};

/// The issuer and audience that the configuration requires; empty: any.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: String,
}

/// The claims that hold the user and the scopes, as configured.
pub(super) struct Names {
    user: String,
    scopes: Vec<String>,
}

impl Names {
    /// An empty text is the default.
    pub(super) fn new(user: &str, scopes: &str) -> Self {
        let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
        Self {
            user: if user.is_empty() { "sub".to_owned() } else { user.to_owned() },
            scopes: if scopes.is_empty() { vec!["scope".to_owned()] } else { scopes },
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new("", "")
    }
}

/// Reads the claims of a token whose signature was verified.
///
/// # Errors
/// `token_expired` or `unauthorized`, naming the claim.
pub(super) fn read(
    payload: &[u8],
    expected: &Expected,
    names: &Names,
    now_s: f64,
) -> Result<Claims, Error> {
    let Members(claims) = object(payload, "the claims part")?;
    let sub = user(&claims, &names.user)?;
    let exp = number(&claims, "exp")?.ok_or_else(|| unauthorized("`exp` is missing"))?;
    let nbf = number(&claims, "nbf")?;
    // Only the type is checked: `iat` is the time of issue, and the issuer's clock may be ahead.
    number(&claims, "iat")?;
    check_times(exp, nbf, now_s)?;
    check_issuer(claims.get("iss"), &expected.issuer)?;
    check_audience(claims.get("aud"), &expected.audience)?;
    Ok(Claims { sub, exp, nbf, scope: scopes(&claims, &names.scopes)? })
}

/// A claim by its name, or by the path to it: `realm_access.roles`. Names may contain dots
/// themselves: `https://example.com/roles`.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })
}

/// The user id or the name of a service, which need not be a valid user id.
fn user(claims: &Map<String, Value>, name: &str) -> Result<String, Error> {
    let user = match find(claims, name) {
        None if name == "sub" => return Err(unauthorized("`sub` is missing")),
        None => return Err(unauthorized(format!("`{name}` (auth_user_claim) is missing"))),
        Some(Value::String(user)) => user,
        Some(other) => return Err(not_text(name, other)),
    };
    if user.is_empty() {
        return Err(unauthorized(format!("`{name}` is empty")));
    }
    if user.len() > TOKEN_SUBJECT_BYTES_MAX {
        let problem = format!("`{name}` is longer than {TOKEN_SUBJECT_BYTES_MAX} bytes");
        return Err(unauthorized(problem));
    }
    // It becomes part of an idempotency key, and neither database can store U+0000 in text.
    if user.chars().any(char::is_control) {
        return Err(unauthorized(format!("`{name}` contains a control character")));
    }
    Ok(user.clone())
}

/// The scopes of all the claims, separated by spaces.
fn scopes(claims: &Map<String, Value>, names: &[String]) -> Result<String, Error> {
    let mut all: Vec<&str> = Vec::new();
    for name in names {
        match find(claims, name) {
            None => {}
            // RFC 8693 §4.2.
            Some(Value::String(scopes)) => all.extend(scopes.split(' ')),
            Some(Value::Array(scopes)) => {
                for scope in scopes {
                    let scope = scope.as_str().ok_or_else(|| {
                        let kind = kind(scope);
                        unauthorized(format!("`{name}` contains {kind}: must be an array of texts"))
                    })?;
                    // A text with spaces is one name here, and none of ours.
                    all.extend((!scope.contains(' ')).then_some(scope));
                }
            }
            Some(other) => {
                return Err(unauthorized(format!(
                    "`{name}` is {}: must be scopes separated by spaces, or an array of them",
                    kind(other)
                )));
            }
        }
    }
    all.retain(|scope| !scope.is_empty());
    Ok(all.join(" "))
}

/// A NumericDate (RFC 7519 §2): seconds since the Unix epoch, possibly with a fraction.
fn number(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Error> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(unauthorized(format!("`{name}` is not a number but {}", kind(value)))),
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
fn check_issuer(iss: Option<&Value>, expected: &str) -> Result<(), Error> {
    match iss {
        Some(Value::String(iss)) if expected.is_empty() || iss == expected => Ok(()),
        Some(Value::String(_)) => Err(unauthorized("`iss` is not the expected issuer")),
        Some(other) => Err(not_text("iss", other)),
        None if expected.is_empty() => Ok(()),
        None => Err(unauthorized("`iss` is missing")),
    }
}

/// A string or an array of strings (RFC 7519 §4.1.3).
fn check_audience(aud: Option<&Value>, expected: &str) -> Result<(), Error> {
    let all = match aud {
        None if expected.is_empty() => return Ok(()),
        None => return Err(unauthorized("`aud` is missing")),
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    if !all.iter().all(Value::is_string) {
        return Err(unauthorized("`aud` is neither text nor an array of texts"));
    }
    match expected.is_empty() || all.iter().any(|one| one == expected) {
        true => Ok(()),
        false => Err(unauthorized("`aud` does not name the expected audience")),
    }
}
