//! Checks at intervals that the hub's Redis user has every permission the hub needs: without one,
//! the subscription may stand and `PING` succeed, while presence or tickets fail.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use native::redis::Commands;
use redis::{ErrorKind, RedisResult, ServerErrorKind};
use shared::{permissions, script};
use tokio::time::sleep;

use crate::limits::{PERMISSIONS_INTERVAL, PERMISSIONS_NAMED_MAX};
use crate::metrics::health::Health;

/// The pause before the first answer; Redis may be unreachable when the hub starts.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Updates `health` for ever.
pub(crate) async fn watch(redis: Arc<Commands>, health: Arc<Health>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let args = [Cow::Borrowed(permissions::HUB)];
        let answer: RedisResult<Vec<String>> = redis.script(&script::PERMISSIONS, &[], &args).await;
        let refused = match answer {
            Ok(refused) => Some(refused),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
                Some(vec!["EVALSHA or EVAL".to_owned()])
            }
            // Redis is unreachable, which other parts report; its permissions are unknown.
            Err(_) => None,
        };
        if let Some(refused) = refused {
            pause = PERMISSIONS_INTERVAL;
            let named: Vec<String> = refused.into_iter().take(PERMISSIONS_NAMED_MAX).collect();
            let text = named.join(", ");
            if health.set_refused(text.clone()) {
                tracing::warn!(refused = text, "the Redis user lacks permissions");
            }
        }
        sleep(pause).await;
    }
}
