//! The hub on a real Redis Cluster and behind real Sentinels, while slots move and masters fail.

mod delivery;
mod failover;
mod readiness;
mod redirects;
mod sentinel;

use std::time::Duration;

use support::RedisCluster;
use support::redis_server::Options as RedisOptions;

use crate::support::redis::ours;
use crate::support::{Client, Hub, Options, RedisServer, eventually_within};

/// Within this, presence is true again and the hub goes on, whatever happened.
const PROMISED: Duration = Duration::from_secs(20);

/// A cluster of three masters with replicas. The tests write feeds as services do, without an
/// expiry.
async fn cluster() -> RedisCluster {
    let options = RedisOptions { may_leave_keys: true, ..RedisOptions::default() };
    RedisCluster::start_with(3, &options).await
}

/// A hub on a cluster, or behind Sentinels.
async fn hub(url: String, options: Options) -> Hub {
    let options = Options { redis_url: Some(url), ..options };
    let hub = Hub::start_on(RedisServer::prepare(), options).await;
    hub.until_ready().await;
    hub
}

/// Adds a notification to a user's feed, as the functions do.
async fn push(cluster: &RedisCluster, user: &str, seq: i64) -> String {
    let notification = ours(user, seq);
    let owner = cluster.owner_of(&feed(user)).await;
    owner.command(&["LPUSH", &feed(user), &notification]).await;
    let head = seq.to_string();
    owner.command(&["HSET", &companion(user), "epoch", "e1", "head", &head, "n", &head]).await;
    notification
}

/// The same, and publishes it at the feed's master.
async fn create(cluster: &RedisCluster, user: &str, seq: i64) -> String {
    let notification = push(cluster, user, seq).await;
    let bw = format!(r#"{{"epoch":"e1","seq":{seq}}}"#);
    let message = format!(r#"{{"notification":{notification},"bw":{bw}}}"#);
    let owner = cluster.owner_of(&feed(user)).await;
    owner.command(&["PUBLISH", "notifications", &message]).await;
    notification
}

fn feed(user: &str) -> String {
    format!("notifications:{user}")
}

fn companion(user: &str) -> String {
    format!("bw:feed:{{notifications:{user}}}")
}

/// A socket whose welcome names this entry as the newest one.
async fn connect_at(hub: &Hub, user: &str, seq: i64) -> Client {
    let (client, welcome) = hub.connect_v1(user).await;
    assert!(welcome.contains(&format!(r#""seq":{seq}"#)), "{user}: {welcome}");
    client
}

/// Waits until exactly these users are online.
async fn until_online(cluster: &RedisCluster, users: &[&str]) {
    eventually_within(PROMISED, &format!("online: {users:?}"), async || {
        let owner = cluster.owner_of("online_users").await;
        let mut members = redis::cmd("SMEMBERS");
        members.arg("online_users");
        let mut connection = owner.try_connection().await.ok()?;
        let mut online: Vec<String> = members.query_async(&mut connection).await.ok()?;
        online.sort();
        (online == users).then_some(())
    })
    .await;
}
