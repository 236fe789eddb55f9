//! Bearer tokens: the end of a socket's validity, and renewal.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shared::{CloseCode, UserId};
use tokio::time::Instant;

use crate::config::Config;

/// Longest validity considered: some tokens are valid for a decade, but no socket lasts as long.
const STAY_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Verifies the tokens that renew a socket.
#[derive(Clone)]
pub(crate) struct Authority(Arc<Config>);

impl Authority {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self(config)
    }

    /// Whether the identity provider has to be asked for the token's key first.
    pub(crate) fn must_fetch(&self, token: &str) -> bool {
        self.0.keys.must_fetch(token)
    }

    /// Asks the identity provider for the token's key, within its deadline.
    pub(crate) async fn prepare(&self, token: &str) {
        self.0.keys.prepare(token).await;
    }

    /// Verifies a renewal; returns the new end of the socket's validity.
    ///
    /// # Errors
    /// The close code: the token is invalid, or another user's.
    pub(crate) fn renew(&self, user: &UserId, token: &str) -> Result<Instant, CloseCode> {
        let claims = self.0.keys.verify(token, now_s()).map_err(|error| {
            tracing::debug!(%error, "token renewal rejected");
            CloseCode::TokenExpired
        })?;
        if !claims.is_subject(user.as_str()) {
            return Err(CloseCode::Forbidden);
        }
        Ok(expiry(claims.accepted_until_s()))
    }
}

/// Seconds since the Unix epoch, as in tokens.
pub(crate) fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The time to close a socket whose token is accepted until `accepted_until_s` (seconds since the
/// Unix epoch, leeway included).
pub(crate) fn expiry(accepted_until_s: f64) -> Instant {
    let left_s = accepted_until_s - now_s();
    // Infinity and other large values become the maximum; NaN counts as expired.
    let left_s = if left_s > 0.0 { left_s.min(STAY_MAX.as_secs_f64()) } else { 0.0 };
    Instant::now() + Duration::from_secs_f64(left_s)
}
