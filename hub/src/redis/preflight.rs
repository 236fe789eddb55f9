//! Asks Redis before a hub is started: whether it answers, and whether the user has the permissions.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use native::redis::RedisTarget;
use shared::live::Live;
use shared::{permissions, script};
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::redis::commands::commands;
use crate::redis::permissions::refused;

/// The time for all of it: a cluster is learnt first, and a server that is away is tried again.
const DEADLINE: Duration = Duration::from_secs(10);
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Returns the number of masters that answered.
///
/// # Errors
/// Redis did not answer within ten seconds, or the user lacks permissions, which are named.
pub async fn ask(target: &RedisTarget, live: Live) -> Result<usize> {
    let (health, metrics) = (Arc::new(Health::default()), Arc::new(Metrics::default()));
    let redis = commands(target.topology(), health, metrics);
    let asked = async {
        loop {
            let wanted = permissions::hub(live, redis.topology().is_cluster());
            let answers: Vec<redis::RedisResult<Vec<String>>> =
                redis.script_on_masters(&script::PERMISSIONS, &[wanted.as_str()]).await;
            if !answers.is_empty() {
                let masters = answers.len();
                let told: Vec<Vec<String>> = answers.into_iter().filter_map(refused).collect();
                if told.len() == masters {
                    return (masters, told.concat());
                }
            }
            sleep(RETRY_PAUSE).await;
        }
    };
    let asked = async {
        tokio::select! {
            asked = asked => asked,
            () = redis.run() => std::future::pending().await,
        }
    };
    let (masters, mut refused) = timeout(DEADLINE, asked)
        .await
        .context("--redis-url (REDIS_URL): Redis cannot be reached or does not answer")?;
    refused.sort_unstable();
    refused.dedup();
    match refused.as_slice() {
        [] => Ok(masters),
        refused => bail!(
            "--redis-url (REDIS_URL): the Redis user lacks permissions: {}",
            refused.join(", ")
        ),
    }
}
