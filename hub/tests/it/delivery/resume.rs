//! Clients that return with a cursor receive everything after it, once and in order.

use std::time::Duration;

use shared::live::Live;

use crate::support::{Hub, in_both_modes, until};

async fn missed_notifications_come_before_live_ones(live: Live) {
    let hub = Hub::start_in(live).await;
    // With and without another socket of the user, which makes their position known.
    for (user, is_known) in [("alice", false), ("bob", true)] {
        let mut expected = Vec::new();
        for seq in 1..=5 {
            expected.push(hub.redis.create(user, "e1", seq).await);
        }
        let mut other = if is_known { Some(hub.connect(user).await) } else { None };
        let mut v1 = hub.resume(user, "?since=seq:2&epoch=e1", "bellwire.v1").await;
        assert_eq!(v1.welcome().await, r#"{"type":"welcome","epoch":"e1","seq":5,"unread":null}"#);
        let mut raw = hub.resume(user, "?since=seq:2&epoch=e1", "bellwire.raw").await;
        for notification in &expected[2..] {
            assert_eq!(&v1.notification().await, notification);
            assert_eq!(&raw.text().await, notification);
        }
        let live = hub.redis.create(user, "e1", 6).await;
        assert_eq!(v1.notification().await, live);
        assert_eq!(raw.text().await, live);
        if let Some(other) = &mut other {
            assert_eq!(other.text().await, live);
        }
    }
}

async fn an_id_is_also_a_cursor_and_foreign_entries_keep_their_places(live: Live) {
    let hub = Hub::start_in(live).await;
    let first = hub.redis.push("alice", "e1", 1).await;
    let foreign = r#"{"id":"their 1","userId":"alice"}"#;
    hub.redis.command(&["LPUSH", "notifications:alice", foreign]).await;
    let second = hub.redis.push("alice", "e1", 2).await;
    let id = &first[7..43];
    let mut raw = hub.resume("alice", &format!("?since=id:{id}"), "bellwire.raw").await;
    assert_eq!(raw.text().await, foreign);
    assert_eq!(raw.text().await, second);
    let mut raw = hub.resume("alice", "?since=id:their%201", "bellwire.raw").await;
    assert_eq!(raw.text().await, second);
    assert!(raw.is_silent().await);
}

async fn a_feed_that_another_service_writes_is_resumed_by_id(live: Live) {
    let hub = Hub::start_in(live).await;
    for id in 1..=3 {
        let foreign = format!(r#"{{"id":"their {id}","userId":"alice"}}"#);
        hub.redis.command(&["LPUSH", "notifications:alice", &foreign]).await;
    }
    let mut raw = hub.resume("alice", "?since=id:their%201", "bellwire.raw").await;
    assert!(raw.text().await.contains("their 2"));
    assert!(raw.text().await.contains("their 3"));
    hub.redis.publish(r#"{"notification":{"id":"their 4","userId":"alice"}}"#).await;
    assert!(raw.text().await.contains("their 4"));
}

async fn an_unknown_cursor_is_a_gap_or_closes_a_raw_socket(live: Live) {
    let hub = Hub::start_in(live).await;
    for seq in 5..=6 {
        hub.redis.push("alice", "e2", seq).await;
    }
    for (query, gap) in [
        ("?since=seq:5&epoch=e1", r#"{"type":"gap","reason":"epoch","epoch":"e2","seq":6}"#),
        ("?since=id:x", r#"{"type":"gap","reason":"missed","epoch":"e2","seq":6}"#),
    ] {
        let mut v1 = hub.resume("alice", query, "bellwire.v1").await;
        assert!(v1.text().await.contains("welcome"));
        assert_eq!(v1.text().await, gap);
        let mut raw = hub.resume("alice", query, "bellwire.raw").await;
        assert_eq!(raw.close_code().await, 4410);
    }
    // The rest of the feed follows.
    let mut v1 = hub.resume("alice", "?since=seq:2&epoch=e2", "bellwire.v1").await;
    assert!(v1.text().await.contains("welcome"));
    assert_eq!(v1.text().await, r#"{"type":"gap","reason":"missed","epoch":"e2","seq":4}"#);
    assert!(v1.notification().await.contains(r#""seq":5"#));
    assert!(v1.notification().await.contains(r#""seq":6"#));
    // A user without a feed.
    let mut v1 = hub.resume("bob", "?since=seq:2&epoch=e2", "bellwire.v1").await;
    assert_eq!(v1.welcome().await, r#"{"type":"welcome","epoch":null,"seq":0,"unread":null}"#);
    assert_eq!(v1.text().await, r#"{"type":"gap","reason":"missed","epoch":null,"seq":0}"#);
}

async fn a_client_ahead_of_the_feed_receives_nothing_twice(live: Live) {
    let hub = Hub::start_in(live).await;
    hub.redis.push("alice", "e1", 5).await;
    let (mut other, _) = hub.connect_v1("alice").await;
    let mut ahead = hub.resume("alice", "?since=seq:7&epoch=e1", "bellwire.v1").await;
    assert!(ahead.text().await.contains("welcome"));
    let mut last = String::new();
    for seq in 6..=8 {
        last = hub.redis.create("alice", "e1", seq).await;
    }
    for _ in 6..8 {
        other.notification().await;
    }
    assert_eq!(other.notification().await, last);
    assert_eq!(ahead.notification().await, last);
}

async fn a_client_resuming_on_a_feed_behind_other_sockets_receives_the_rest_later(live: Live) {
    let hub = Hub::start_in(live).await;
    let (mut other, _) = hub.connect_v1("alice").await;
    for seq in 1..=10 {
        hub.redis.create("alice", "e1", seq).await;
        other.notification().await;
    }
    // A failover to an older replica.
    hub.redis.command(&["LTRIM", "notifications:alice", "3", "-1"]).await;
    hub.redis.command(&["HSET", "bw:feed:{notifications:alice}", "head", "7"]).await;
    let mut v1 = hub.resume("alice", "?since=seq:6&epoch=e1", "bellwire.v1").await;
    assert!(v1.text().await.contains("welcome"));
    assert!(v1.notification().await.contains(r#""seq":7,"#));
    let mut raw = hub.resume("alice", "?since=seq:6&epoch=e1", "bellwire.raw").await;
    assert!(raw.text().await.contains(r#""seq":7,"#));
    // The relay sends the lost entries again: each client receives each entry once.
    for seq in 8..=11 {
        hub.redis.create("alice", "e1", seq).await;
        let expected = format!(r#""seq":{seq},"#);
        assert!(v1.notification().await.contains(&expected));
        assert!(raw.text().await.contains(&expected));
    }
    assert!(other.notification().await.contains(r#""seq":11,"#));
}

async fn invalid_cursors_are_rejected_by_name(live: Live) {
    let hub = Hub::start_in(live).await;
    let bearer = crate::support::token("alice");
    for (query, code) in [
        ("since=5", "invalid_field"),
        ("since=seq:5", "missing_field"),
        ("epoch=e", "missing_field"),
        ("since=%zz", "invalid_field"),
    ] {
        let text = format!(
            "GET /ws/notifications?{query} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {bearer}\r\n\r\n"
        );
        let answer = crate::support::request(hub.address, &text).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{query}");
    }
}

async fn a_client_resuming_during_an_outage_of_redis_receives_everything_afterwards(live: Live) {
    let hub = Hub::start_in(live).await;
    let mut expected = Vec::new();
    for seq in 1..=4 {
        expected.push(hub.redis.push("alice", "e1", seq).await);
    }
    hub.redis.command(&["SAVE"]).await;
    hub.redis.kill();
    hub.until_not_ready().await;
    let query = "?since=seq:1&epoch=e1";
    let (mut raw, mut v1) = tokio::join!(
        hub.resume("alice", query, "bellwire.raw"),
        hub.resume("alice", query, "bellwire.v1"),
    );
    hub.redis.restart().await;
    hub.until_ready().await;
    assert!(v1.text().await.contains("welcome"));
    for notification in &expected[1..] {
        assert_eq!(&raw.text().await, notification);
        assert_eq!(&v1.notification().await, notification);
    }
    let five = hub.redis.create("alice", "e1", 5).await;
    assert_eq!(raw.text().await, five);
    assert_eq!(v1.notification().await, five);
}

async fn resuming_in_the_middle_of_a_stream_loses_and_doubles_nothing(live: Live) {
    const LAST: i64 = 400;
    let hub = Hub::start_in(live).await;
    hub.redis.create("alice", "e1", 1).await;
    let clients = (0..8).map(|client| {
        let hub = &hub;
        async move {
            let (protocol, v1) =
                if client % 2 == 0 { ("bellwire.raw", false) } else { ("bellwire.v1", true) };
            let mut seq = 1;
            while seq < LAST {
                let query = format!("?since=seq:{seq}&epoch=e1");
                let mut socket = hub.resume("alice", &query, protocol).await;
                if v1 {
                    assert!(socket.text().await.contains("welcome"));
                }
                for _ in 0..(7 + client) {
                    let text = socket.text().await;
                    let next = seq + 1;
                    assert!(
                        text.contains(&format!(r#""seq":{next},"#)),
                        "expected seq {next}: {text}"
                    );
                    seq = next;
                    if seq == LAST {
                        break;
                    }
                }
            }
        }
    });
    let publishing = async {
        for seq in 2..=LAST {
            hub.redis.create("alice", "e1", seq).await;
            if seq % 90 == 0 {
                // As the functions do, and never enough to push an entry out of the feed window.
                hub.redis.command(&["LTRIM", "notifications:alice", "0", "99"]).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    tokio::join!(futures_util::future::join_all(clients), publishing);
    until("all users are offline", async || hub.online().await.is_empty()).await;
}

in_both_modes! {
    missed_notifications_come_before_live_ones,
    an_id_is_also_a_cursor_and_foreign_entries_keep_their_places,
    a_feed_that_another_service_writes_is_resumed_by_id,
    an_unknown_cursor_is_a_gap_or_closes_a_raw_socket,
    a_client_ahead_of_the_feed_receives_nothing_twice,
    a_client_resuming_on_a_feed_behind_other_sockets_receives_the_rest_later,
    invalid_cursors_are_rejected_by_name,
    a_client_resuming_during_an_outage_of_redis_receives_everything_afterwards,
    resuming_in_the_middle_of_a_stream_loses_and_doubles_nothing,
}
