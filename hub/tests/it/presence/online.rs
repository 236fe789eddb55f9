//! Users become online and offline.

use redis::AsyncCommands as _;

use crate::support::{Hub, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_online_from_the_first_tab_to_the_last() {
    let hub = Hub::start().await;
    let (first, second) = (hub.connect("alice").await, hub.connect("alice").await);
    let bob = hub.connect("bob").await;
    hub.until_online(&["alice", "bob"]).await;
    drop(first);
    drop(bob);
    hub.until_online(&["alice"]).await;
    let ttl_ms: i64 = hub.redis.connection().await.pttl("online_users").await.unwrap();
    assert!((15_000..=20_000).contains(&ttl_ms), "{ttl_ms}");
    drop(second);
    hub.until_online(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_heals_after_a_flush_and_after_another_service_removed_a_user() {
    let hub = Hub::start().await;
    let _alice = hub.connect("alice").await;
    hub.until_online(&["alice"]).await;
    hub.redis.command(&["FLUSHALL"]).await;
    hub.until_online(&["alice"]).await;
    hub.redis.command(&["SREM", "online_users", "alice"]).await;
    hub.until_online(&["alice"]).await;
    let ttl_ms: i64 = hub.redis.connection().await.pttl("online_users").await.unwrap();
    assert!(ttl_ms > 0, "the set must expire after the hub's end");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_connect_and_disconnect() {
    let mut hub = Hub::start().await;
    let users: Vec<String> = (0..1200).map(|number| format!("u{number}")).collect();
    let connecting = users.iter().map(|user| hub.connect(user));
    let sockets = futures_util::future::join_all(connecting).await;
    until("all are online", async || hub.online().await.len() == 1200).await;
    drop(sockets);
    until("none is online", async || hub.online().await.is_empty()).await;
    let _left = hub.connect("alice").await;
    hub.until_online(&["alice"]).await;
    hub.stop().await;
    assert!(hub.online().await.is_empty());
}
