//! Whose a request or a socket is, and for how long: the token it came with, or a newer one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, HeaderMap};
use shared::auth::Claims;
use shared::{CloseCode, Code, Error};
use tokio::time::Instant;

use crate::config::Config;

/// A timer further off than this is not set: tokens of a decade exist, sockets of one do not.
const STAY_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The token behind a socket.
pub struct Authority {
    config: Arc<Config>,
    subject: String,
    expires_at: Instant,
}

impl Authority {
    pub fn new(config: Arc<Config>, claims: &Claims) -> Self {
        Self { config, subject: claims.sub.clone(), expires_at: expiry(claims) }
    }

    /// When the socket has to be closed; the leeway for clocks is included.
    pub fn expires_at(&self) -> Instant {
        self.expires_at
    }

    /// Takes a new token in place of the old one.
    ///
    /// # Errors
    /// The code to close with: a token of somebody else, or one that does not verify.
    pub fn renew(&mut self, token: &str) -> Result<(), CloseCode> {
        let claims = self.config.keys.verify(token, now_s()).map_err(|error| {
            tracing::debug!(%error, "a renewal was refused");
            CloseCode::TokenExpired
        })?;
        if !claims.is_subject(&self.subject) {
            return Err(CloseCode::Forbidden);
        }
        self.expires_at = expiry(&claims);
        Ok(())
    }
}

/// The token in `Authorization`, if there is that header.
///
/// # Errors
/// `unauthorized`: it holds something else.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    match value.to_str().unwrap_or_default().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Error::new(Code::Unauthorized, "`Authorization` is not `Bearer <token>`")),
    }
}

/// Seconds since the Unix epoch, as tokens count.
pub fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn expiry(claims: &Claims) -> Instant {
    let left_s = claims.accepted_until_s() - now_s();
    // Infinite or not, what is beyond the maximum is the maximum; what is not a number is over.
    let left_s = if left_s > 0.0 { left_s.min(STAY_MAX.as_secs_f64()) } else { 0.0 };
    Instant::now() + Duration::from_secs_f64(left_s)
}
