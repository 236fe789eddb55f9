//! Outages of Redis.

use std::time::Duration;

use hub::config::Pace;

use shared::live::Live;

use crate::support::{Hub, Options, RedisServer, in_both_modes};

async fn sockets_survive_a_restart_of_redis_and_get_what_they_missed(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.push("alice", "e1", 1).await;
    let mut raw = hub.connect("alice").await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut bob = hub.connect("bob").await;
    let two = hub.redis.push("alice", "e1", 2).await;
    let three = hub.redis.push("alice", "e1", 3).await;
    hub.redis.command(&["SAVE"]).await;
    hub.redis.kill();
    hub.until_not_ready().await;
    assert_eq!(hub.get("/readyz").await.code(), "redis_unavailable");
    assert_eq!(hub.get("/healthz").await.status, 200);
    hub.redis.restart().await;
    hub.until_ready().await;
    for expected in [&two, &three] {
        assert_eq!(&raw.text().await, expected);
        assert_eq!(&v1.notification().await, expected);
    }
    let four = hub.redis.create("alice", "e1", 4).await;
    assert_eq!(raw.text().await, four);
    assert_eq!(v1.notification().await, four);
    hub.redis.publish(r#"{"notification":{"userId":"bob"}}"#).await;
    assert_eq!(bob.text().await, r#"{"userId":"bob"}"#);
}

async fn a_cut_subscription_loses_nothing_even_for_new_users(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut raw = hub.connect("alice").await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    // Redis closes subscribers whose output buffer is full.
    let one = hub.redis.push("alice", "e1", 1).await;
    let two = hub.redis.push("alice", "e1", 2).await;
    hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    for expected in [&one, &two] {
        assert_eq!(&raw.text().await, expected);
        assert_eq!(&v1.notification().await, expected);
    }
    let three = hub.redis.create("alice", "e1", 3).await;
    assert_eq!(raw.text().await, three);
}

async fn a_record_replaced_during_an_outage_is_reported(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.push("alice", "e1", 5).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    hub.redis.command(&["DEL", "notifications:alice"]).await;
    hub.redis.push("alice", "e2", 1).await;
    hub.redis.push("alice", "e2", 2).await;
    hub.redis.command(&["SAVE"]).await;
    hub.redis.kill();
    hub.redis.restart().await;
    assert_eq!(v1.text().await, r#"{"type":"gap","reason":"epoch","epoch":"e2","seq":2}"#);
    let three = hub.redis.create("alice", "e2", 3).await;
    assert_eq!(v1.notification().await, three);
}

async fn without_redis_sockets_are_accepted_and_get_their_position_later(live: Live) {
    let hub = Hub::start_on(RedisServer::prepare(), Options { live, ..Options::default() }).await;
    assert_eq!(hub.get("/readyz").await.status, 503);
    let (mut v1, welcome) = hub.connect_v1("alice").await;
    assert_eq!(welcome, r#"{"type":"welcome","epoch":null,"seq":0,"unread":null}"#);
    hub.redis.restart().await;
    hub.until_ready().await;
    let one = hub.redis.create("alice", "e1", 1).await;
    assert_eq!(v1.notification().await, one);
    hub.until_online(&["alice"]).await;
}

async fn a_silent_redis_connection_is_detected(live: Live) {
    let pace = Pace {
        subscription_silence: Duration::from_millis(300),
        subscription_pong_deadline: Duration::from_millis(300),
        ..Pace::default()
    };
    let hub = Hub::start_with(Options { live, pace, ..Options::default() }).await;
    let mut client = hub.connect("alice").await;
    // A stopped Redis keeps its connections and answers nothing, like half-open TCP.
    hub.redis.pause();
    hub.until_not_ready().await;
    hub.redis.resume();
    hub.until_ready().await;
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}

async fn entries_that_another_service_pushed_meanwhile_arrive_when_the_subscription_is_back(
    live: Live,
) {
    let hub = Hub::start_in(live).await;
    hub.redis.create("alice", "e1", 1).await;
    let foreign = |n: u32, user: &str| format!(r#"{{"userId":"{user}","n":{n}}}"#);
    let push = async |user: &str, element: &str| {
        hub.redis.command(&["LPUSH", &format!("notifications:{user}"), element]).await;
    };
    push("bob", &foreign(0, "bob")).await;
    let (mut alice, mut bob) = (hub.connect_v1("alice").await.0, hub.connect("bob").await);
    // Appended and published live: delivered.
    for (user, n) in [("alice", 1), ("bob", 1)] {
        push(user, &foreign(n, user)).await;
        hub.redis.publish(&format!(r#"{{"notification":{}}}"#, foreign(n, user))).await;
    }
    assert_eq!(alice.notification().await, foreign(1, "alice"));
    assert_eq!(bob.text().await, foreign(1, "bob"));
    // Appended without being received, as during an outage of the subscription.
    let two = hub.redis.push("alice", "e1", 2).await;
    push("alice", &foreign(2, "alice")).await;
    push("bob", &foreign(2, "bob")).await;
    push("bob", &foreign(3, "bob")).await;
    hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(alice.notification().await, two);
    assert_eq!(alice.notification().await, foreign(2, "alice"));
    for n in [2, 3] {
        assert_eq!(bob.text().await, foreign(n, "bob"));
    }
    hub.until_ready().await;
    hub.redis.publish(r#"{"notification":{"userId":"bob"}}"#).await;
    assert_eq!(bob.text().await, r#"{"userId":"bob"}"#);
    assert!(alice.is_silent().await && bob.is_silent().await);
}

in_both_modes! {
    sockets_survive_a_restart_of_redis_and_get_what_they_missed,
    a_cut_subscription_loses_nothing_even_for_new_users,
    a_record_replaced_during_an_outage_is_reported,
    without_redis_sockets_are_accepted_and_get_their_position_later,
    a_silent_redis_connection_is_detected,
    entries_that_another_service_pushed_meanwhile_arrive_when_the_subscription_is_back,
}
