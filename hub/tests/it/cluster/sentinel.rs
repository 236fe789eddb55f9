//! A hub that follows Sentinel.

use shared::live::Live;
use shared::{UserId, keys};
use support::Sentinel;
use support::redis_server::Options as RedisOptions;

use super::{PROMISED, companion, feed, hub};
use crate::delivery::relay::{NOTHING, functions, relay_to};
use crate::support::redis::ours;
use crate::support::{Options, eventually_within};

async fn sentinel() -> Sentinel {
    let options = RedisOptions { may_leave_keys: true, ..RedisOptions::default() };
    Sentinel::start_with(&options).await
}

/// Appends and publishes at the primary that Sentinel names, as the functions do: a hub that has not
/// subscribed there yet finds the notification in the feed.
async fn create(sentinel: &Sentinel, live: Live, user: &str, seq: i64) -> String {
    let primary = sentinel.primary().await;
    let (notification, head) = (ours(user, seq), seq.to_string());
    primary.command(&["LPUSH", &feed(user), &notification]).await;
    primary.command(&["HSET", &companion(user), "epoch", "e1", "head", &head, "n", &head]).await;
    let bw = format!(r#"{{"epoch":"e1","seq":{seq}}}"#);
    let message = format!(r#"{{"notification":{notification},"bw":{bw}}}"#);
    let own = keys::live_channel(&UserId::parse(user).unwrap());
    match live {
        Live::All => primary.command(&["PUBLISH", keys::NOTIFICATIONS_CHANNEL, &message]).await,
        _ => primary.command(&["SPUBLISH", &own, &message]).await,
    };
    notification
}

async fn until_online(sentinel: &Sentinel, users: &[&str]) {
    eventually_within(PROMISED, &format!("online: {users:?}"), async || {
        let mut members = redis::cmd("SMEMBERS");
        members.arg("online_users");
        let mut connection = sentinel.primary().await.try_connection().await.ok()?;
        let mut online: Vec<String> = members.query_async(&mut connection).await.ok()?;
        online.sort();
        (online == users).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_follows_a_failover_and_calls_the_relay() {
    let sentinel = sentinel().await;
    let (url, requests) = functions(&[NOTHING]).await;
    let (relay, _directory) = relay_to(url);
    let hub = hub(sentinel.url(), Options { relay, ..Options::default() }).await;
    let (mut alice, _) = hub.connect_v1("alice").await;
    let first = create(&sentinel, Live::All, "alice", 1).await;
    assert_eq!(alice.notification().await, first);
    until_online(&sentinel, &["alice"]).await;

    // A Sentinel less, and the primary dies.
    sentinel.kill_sentinel(0);
    let primary = sentinel.primary().await;
    let before = requests.lock().len();
    primary.kill();
    sentinel.replaced(primary.port()).await;
    let (_bob, _) = hub.connect_v1("bob").await;
    until_online(&sentinel, &["alice", "bob"]).await;
    hub.until_ready().await;
    let second = create(&sentinel, Live::All, "alice", 2).await;
    assert_eq!(alice.notification().await, second);
    assert!(requests.lock().len() > before, "the relay was called");

    // The former primary returns as a replica, and is made the primary again.
    primary.restart().await;
    sentinel.settled().await;
    sentinel.fail_over().await;
    let (_carol, _) = hub.connect_v1("carol").await;
    until_online(&sentinel, &["alice", "bob", "carol"]).await;
    hub.until_ready().await;
    let third = create(&sentinel, Live::All, "alice", 3).await;
    assert_eq!(alice.notification().await, third);
}

/// What is created before the hub has subscribed at the new primary is in the feed.
#[tokio::test(flavor = "multi_thread")]
async fn own_channels_follow_failovers_without_a_loss_or_a_double() {
    let sentinel = sentinel().await;
    let hub = hub(sentinel.url(), Options { live: Live::Own, ..Options::default() }).await;
    let (mut alice, _) = hub.connect_v1("alice").await;
    let mut seq = 0;
    let mut next = async || {
        seq += 1;
        let created = create(&sentinel, Live::Own, "alice", seq).await;
        assert_eq!(alice.notification().await, created);
    };
    next().await;
    let primary = sentinel.primary().await;
    primary.kill();
    sentinel.replaced(primary.port()).await;
    for _ in 0..3 {
        next().await;
    }
    hub.until_ready().await;
    // The former primary returns as a replica, and is made the primary again while both run.
    primary.restart().await;
    sentinel.settled().await;
    sentinel.fail_over().await;
    for _ in 0..3 {
        next().await;
    }
    hub.until_ready().await;
    next().await;
    let channels: Vec<String> =
        sentinel.primary().await.run("PUBSUB SHARDCHANNELS bw:live:*").await;
    assert_eq!(channels.len(), 1);
}
