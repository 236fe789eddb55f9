//! The number of unread entries in welcomes and pongs, and its changes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::feed::Feed;
use crate::support::redis::ours;
use shared::live::Live;

use crate::support::{Client, Hub, Options, RedisServer, in_both_modes, now_s, until};

const PING: &str = r#"{"type":"ping","n":[1]}"#;

/// The answer to a ping; earlier frames are dropped.
async fn pong(client: &mut Client) -> Value {
    client.send(Message::text(PING)).await;
    loop {
        let frame = client.json().await;
        if frame["type"] == "pong" {
            return frame;
        }
    }
}

fn expected(seq: i64, unread: impl Into<Value>) -> Value {
    let unread: Value = unread.into();
    let epoch = if seq == 0 { Value::Null } else { "e".into() };
    json!({"type": "pong", "epoch": epoch, "seq": seq, "unread": unread})
}

fn welcome(seq: i64, unread: i64) -> String {
    format!(r#"{{"type":"welcome","epoch":"e","seq":{seq},"unread":{unread}}}"#)
}

async fn a_ping_is_answered_with_the_feeds_unread_number(live: Live) {
    let hub = Hub::start_in(live).await;
    let (mut bob, _) = hub.connect_v1("bob").await;
    assert_eq!(pong(&mut bob).await, expected(0, Value::Null));
    let mut feed = Feed::with(&hub.redis, "alice", 3).await;
    let (mut alice, first) = hub.connect_v1("alice").await;
    assert_eq!(first, welcome(3, 3));
    // A known number is not read again.
    let reads = hub.redis.calls("evalsha").await;
    assert_eq!(pong(&mut alice).await, expected(3, 3));
    feed.mark(1).await;
    assert_eq!(alice.text().await, r#"{"type":"read","upTo":1,"unread":2}"#);
    assert_eq!(pong(&mut alice).await, expected(3, 2));
    let presence = 3;
    assert!(hub.redis.calls("evalsha").await <= reads + presence);
    // A notification makes it unknown.
    feed.push().await;
    alice.notification().await;
    assert_eq!(pong(&mut alice).await, expected(4, 3));
    let (_second, again) = hub.connect_v1("alice").await;
    assert_eq!(again, welcome(4, 3));
    feed.push().await;
    alice.notification().await;
    let (_third, again) = hub.connect_v1("alice").await;
    assert_eq!(again, welcome(5, 4), "a welcome waits for the number, too");
}

async fn many_pings_cost_one_read_and_count_as_frames(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 1).await;
    let (mut alice, _) = hub.connect_v1("alice").await;
    feed.push().await;
    alice.notification().await;
    let reads = hub.redis.calls("evalsha").await;
    for _ in 0..20 {
        alice.send(Message::text(PING)).await;
    }
    for _ in 0..20 {
        assert_eq!(alice.json().await, expected(2, 2));
    }
    let presence = 3;
    assert!(hub.redis.calls("evalsha").await <= reads + 1 + presence);
    let mut raw = hub.connect("alice").await;
    raw.send(Message::text(PING)).await;
    assert!(raw.is_silent().await);
    for _ in 0..40 {
        if futures_util::SinkExt::send(&mut alice.stream, Message::text(PING)).await.is_err() {
            break;
        }
    }
    assert_eq!(alice.close_code().await, 4429);
}

async fn a_resume_includes_marks_and_deletes_made_elsewhere(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 5).await;
    for is_known in [false, true] {
        let other = if is_known { Some(hub.connect_v1("alice").await) } else { None };
        feed.mark(2).await;
        feed.delete(5).await;
        let mut back = hub.resume("alice", "?since=seq:4&epoch=e", "bellwire.v1").await;
        assert_eq!(back.welcome().await, welcome(5, 2));
        assert_eq!(pong(&mut back).await, expected(5, 2));
        drop(other);
    }
}

async fn deletes_and_erases_are_sent_to_v1_sockets_and_streams(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 4).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    let mut events = hub.events("alice", "", "").await;
    assert!(events.next().await.unwrap().id.is_some());
    feed.mark(1).await;
    v1.text().await;
    events.data("read").await;
    for (seq, unread) in [(2, 2), (1, 2), (4, 1)] {
        let id = feed.delete(seq).await;
        let frame = format!(r#"{{"type":"removed","ids":["{id}"],"unread":{unread}}}"#);
        assert_eq!(v1.text().await, frame);
        assert_eq!(events.data("removed").await, frame);
        assert_eq!(pong(&mut v1).await["unread"], unread);
    }
    // Deleted before it was appended: the feed is loaded without it, and the unread number is
    // unknown.
    feed.entries.push(ours("alice", 5));
    let id = feed.delete(5).await;
    let frame = format!(r#"{{"type":"removed","ids":["{id}"],"unread":null}}"#);
    assert_eq!(v1.text().await, frame);
    assert_eq!(pong(&mut v1).await, expected(4, Value::Null));
    feed.erase().await;
    assert_eq!(v1.text().await, r#"{"type":"removed","all":true,"unread":0}"#);
    assert_eq!(pong(&mut v1).await, expected(4, 0));
    assert!(raw.is_silent().await);
}

async fn expired_entries_are_no_longer_counted(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 1).await;
    let end_ms = (now_s() * 1000.0) as i64 + 1_500;
    feed.push_until(end_ms).await;
    let (mut alice, first) = hub.connect_v1("alice").await;
    assert_eq!(first, welcome(2, 2));
    until("it is expired", async || now_s() * 1000.0 > end_ms as f64).await;
    assert_eq!(pong(&mut alice).await, expected(2, 1));
    // The event of a mark says until when its number is valid.
    let end_ms = (now_s() * 1000.0) as i64 + 1_500;
    feed.push_until(end_ms).await;
    feed.mark(1).await;
    // A pong does not wait for what Redis still sends.
    while alice.json().await["type"] != "read" {}
    assert_eq!(pong(&mut alice).await, expected(3, 1));
    until("it is expired", async || now_s() * 1000.0 > end_ms as f64).await;
    assert_eq!(pong(&mut alice).await, expected(3, 0));
}

async fn an_unavailable_redis_delays_a_pong_only_briefly(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut feed = Feed::with(&hub.redis, "alice", 2).await;
    hub.redis.command(&["SAVE"]).await;
    let (mut alice, _) = hub.connect_v1("alice").await;
    feed.push().await;
    alice.notification().await;
    // Redis hangs.
    hub.redis.pause();
    let start = Instant::now();
    assert_eq!(pong(&mut alice).await, expected(3, Value::Null));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    hub.redis.resume();
    hub.until_ready().await;
    until("it is known again", async || pong_slowly(&mut alice).await == expected(3, 3)).await;
    // Redis is down, and has lost its data.
    hub.redis.kill();
    hub.until_not_ready().await;
    let start = Instant::now();
    assert_eq!(pong(&mut alice).await, expected(3, Value::Null));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    hub.redis.restart().await;
    hub.until_ready().await;
    let (mut bob, _) = hub.connect_v1("bob").await;
    assert_eq!(pong(&mut bob).await, expected(0, Value::Null));
}

/// Stays within the rate limit for frames.
async fn pong_slowly(client: &mut Client) -> Value {
    tokio::time::sleep(Duration::from_millis(250)).await;
    pong(client).await
}

async fn a_script_that_redis_lost_or_rejects_prevents_no_connection(live: Live) {
    let hub = Hub::start_in(live).await;
    Feed::with(&hub.redis, "alice", 2).await;
    hub.redis.command(&["SCRIPT", "FLUSH"]).await;
    let (first, text) = hub.connect_v1("alice").await;
    assert_eq!(text, welcome(2, 2));
    drop(first);
    until("she has left", async || hub.online().await.is_empty()).await;
    hub.redis.command(&["ACL", "SETUSER", "default", "-eval", "-evalsha"]).await;
    let unknown = r#"{"type":"welcome","epoch":"e","seq":2,"unread":null}"#;
    let (mut second, text) = hub.connect_v1("alice").await;
    assert_eq!(text, unknown);
    assert_eq!(pong(&mut second).await, expected(2, Value::Null));
    let mut back = hub.resume("alice", "?since=seq:1&epoch=e", "bellwire.v1").await;
    assert_eq!(back.welcome().await, unknown);
    assert!(back.notification().await.contains(r#""seq":2,"#));
    // A feed of the wrong type affects only its user.
    hub.redis.command(&["ACL", "SETUSER", "default", "+@all"]).await;
    hub.redis.command(&["SET", "notifications:odd", "x"]).await;
    let (odd, alice) = tokio::join!(hub.connect_v1("odd"), hub.connect_v1("alice"));
    assert!(odd.1.ends_with(r#""unread":null}"#) && alice.1 == welcome(2, 2), "{}", alice.1);
}

async fn the_last_number_that_a_client_receives_is_right(live: Live) {
    // Marks and deletes at the moment of a ping: each client keeps the number of the last frame.
    let redis = RedisServer::start().await;
    let hub = Hub::start_on(redis, Options { live, ..Options::default() }).await;
    hub.until_ready().await;
    let rounds = (0..60).map(|round| {
        let hub = &hub;
        async move {
            let user = format!("u{round}");
            let mut feed = Feed::with(&hub.redis, &user, 10).await;
            let (mut client, _) = hub.connect_v1(&user).await;
            for at in 1..=8 {
                // Unknown from here on.
                let foreign = format!(r#"{{"notification":{{"userId":"{user}"}}}}"#);
                hub.redis.publish(&foreign).await;
                client.notification().await;
                client.send(Message::text(PING)).await;
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..800))).await;
                if at % 2 == 0 {
                    feed.mark(at).await
                } else {
                    drop(feed.delete(at).await)
                }
                let numbers = [client.json().await, client.json().await];
                let kinds = numbers.each_ref().map(|frame| frame["type"] == "pong");
                assert!(kinds[0] != kinds[1], "{numbers:?}");
                assert_eq!(numbers[1]["unread"], 10 - at, "{numbers:?}");
            }
        }
    });
    futures_util::future::join_all(rounds).await;
}

in_both_modes! {
    a_ping_is_answered_with_the_feeds_unread_number,
    many_pings_cost_one_read_and_count_as_frames,
    a_resume_includes_marks_and_deletes_made_elsewhere,
    deletes_and_erases_are_sent_to_v1_sockets_and_streams,
    expired_entries_are_no_longer_counted,
    an_unavailable_redis_delays_a_pong_only_briefly,
    a_script_that_redis_lost_or_rejects_prevents_no_connection,
    the_last_number_that_a_client_receives_is_right,
}
