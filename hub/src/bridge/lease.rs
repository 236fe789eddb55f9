//! The calls for the lease.

use std::borrow::Cow;
use std::time::Duration;

use native::redis::Commands;
use redis::RedisResult;
use shared::keys::BRIDGE;
use shared::script::BRIDGE_LEASE;

/// What a holder stores: its random name, and how often it has subscribed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token(String);

/// The answer to a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// Until this time on Redis' clock, in milliseconds since the Unix epoch.
    Mine {
        until_ms: i64,
        is_continued: bool,
    },
    Taken(Token),
}

impl Token {
    pub(super) fn random() -> Self {
        Self(format!("{:016x}:0", fastrand::u64(..)))
    }

    /// The token after another subscription.
    pub(super) fn next(&self) -> Self {
        let (name, n) = self.0.split_once(':').unwrap_or((&self.0, "0"));
        Self(format!("{name}:{}", n.parse::<u64>().unwrap_or(0) + 1))
    }

    /// Whether its holder has subscribed.
    pub(super) fn is_listening(&self) -> bool {
        !self.0.ends_with(":0")
    }
}

/// Takes or renews the lease.
///
/// # Errors
/// Redis did not answer.
pub(super) async fn renew(
    redis: &Commands,
    token: &Token,
    next: &Token,
    length: Duration,
) -> RedisResult<Lease> {
    let length = length.as_millis().to_string();
    let args = [Cow::Borrowed(token.0.as_str()), Cow::Borrowed(&next.0), Cow::Owned(length)];
    let answer = redis.script::<(String, i64, i64)>(&BRIDGE_LEASE, &[BRIDGE], &args).await?;
    Ok(match answer {
        (_, until_ms @ 1.., is_continued) => {
            Lease::Mine { until_ms, is_continued: is_continued == 1 }
        }
        (holder, ..) => Lease::Taken(Token(holder)),
    })
}

/// Hands the lease back; if Redis does not answer, it expires.
pub(super) async fn release(redis: &Commands, token: &Token) {
    let args = [Cow::Borrowed(token.0.as_str()), Cow::Borrowed(""), Cow::Borrowed("0")];
    let answer = redis.script::<(String, i64, i64)>(&BRIDGE_LEASE, &[BRIDGE], &args).await;
    if let Err(error) = answer {
        tracing::debug!(%error, "cannot hand back the lease of the bridge");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_whether_and_how_often_its_holder_has_subscribed() {
        let token = Token::random();
        assert!(!token.is_listening());
        let (first, second) = (token.next(), token.next().next());
        assert!(first.is_listening() && second.is_listening() && first != second);
        assert_eq!(first.0.split(':').next(), token.0.split(':').next());
    }
}
