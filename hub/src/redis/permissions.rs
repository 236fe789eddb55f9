//! Checks at intervals that the hub's Redis user has every permission the hub needs: without one,
//! the subscription may stand and `PING` succeed, while presence or tickets fail.

use std::sync::Arc;
use std::time::Duration;

use native::redis::Commands;
use redis::{ErrorKind, RedisResult, ServerErrorKind};
use shared::live::Live;
use shared::{permissions, script};
use tokio::time::sleep;

use crate::limits::{PERMISSIONS_INTERVAL, PERMISSIONS_NAMED_MAX};
use crate::metrics::health::{Health, NODE_OF_CLUSTER};

/// The pause before the first answer; Redis may be unreachable when the hub starts.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Updates `health` for ever. Each master of a cluster has users of its own.
pub(crate) async fn watch(redis: Arc<Commands>, live: Live, health: Arc<Health>) {
    let mut pause = FIRST_PAUSE;
    let wanted = permissions::hub(live, redis.topology().is_cluster());
    loop {
        let answers = redis.script_on_masters(&script::PERMISSIONS, &[wanted.as_str()]).await;
        let refused: Vec<Vec<String>> = answers.into_iter().filter_map(refused).collect();
        if redis.topology().is_one() {
            note_cluster(&redis, &health).await;
        }
        // If no server answers, Redis is unreachable, which other parts report; its permissions are
        // unknown.
        if !refused.is_empty() {
            pause = PERMISSIONS_INTERVAL;
            let mut named: Vec<String> = Vec::new();
            for command in refused.into_iter().flatten() {
                if named.len() < PERMISSIONS_NAMED_MAX && !named.contains(&command) {
                    named.push(command);
                }
            }
            let text = named.join(", ");
            if health.set_refused(text.clone()) {
                tracing::warn!(refused = text, "the Redis user lacks permissions");
            }
        }
        sleep(pause).await;
    }
}

/// Notes whether the only server is a node of a cluster, which refuses most keys. One that does not
/// tell counts as none.
async fn note_cluster(redis: &Commands, health: &Health) {
    let mut info = redis::pipe();
    info.cmd("INFO").arg("cluster");
    let told = redis.query::<(String,)>(&info).await;
    let is_node = told.is_ok_and(|(text,)| text.contains("cluster_enabled:1"));
    if health.set_node_of_cluster(is_node) {
        tracing::warn!(problem = NODE_OF_CLUSTER, "not ready");
    }
}

/// What one master denies; `None` if it does not say.
pub(crate) fn refused(answer: RedisResult<Vec<String>>) -> Option<Vec<String>> {
    match answer {
        Ok(refused) => Some(refused),
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
            Some(vec!["EVALSHA or EVAL".to_owned()])
        }
        Err(_) => None,
    }
}
