//! Whose a request or a socket is, and for how long: the token it came with, or a newer one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, HeaderMap};
use shared::{CloseCode, Code, Error, UserId};
use tokio::time::Instant;

use crate::config::Config;

/// A time further off than this is not kept: tokens of a decade exist, sockets of one do not.
const STAY_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Looks at the tokens that a socket renews itself with.
pub(crate) struct Authority(Arc<Config>);

impl Authority {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self(config)
    }

    /// Until when a new token lets its user stay.
    ///
    /// # Errors
    /// The code to close with: a token of somebody else, or one that does not verify.
    pub(crate) fn renew(&self, user: &UserId, token: &str) -> Result<Instant, CloseCode> {
        let claims = self.0.keys.verify(token, now_s()).map_err(|error| {
            tracing::debug!(%error, "a renewal was refused");
            CloseCode::TokenExpired
        })?;
        if !claims.is_subject(user.as_str()) {
            return Err(CloseCode::Forbidden);
        }
        Ok(expiry(claims.accepted_until_s()))
    }
}

/// The token in `Authorization`, if there is that header.
///
/// # Errors
/// `unauthorized`: it holds something else.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    match value.to_str().unwrap_or_default().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Error::new(Code::Unauthorized, "`Authorization` is not `Bearer <token>`")),
    }
}

/// Seconds since the Unix epoch, as tokens count.
pub(crate) fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// When a socket has to be closed whose token is accepted until then (seconds since the Unix epoch,
/// leeway for clocks included).
pub(crate) fn expiry(accepted_until_s: f64) -> Instant {
    let left_s = accepted_until_s - now_s();
    // Infinite or not, what is beyond the maximum is the maximum; what is not a number is over.
    let left_s = if left_s > 0.0 { left_s.min(STAY_MAX.as_secs_f64()) } else { 0.0 };
    Instant::now() + Duration::from_secs_f64(left_s)
}
