//! Event streams: the same behaviour as sockets, for clients without WebSocket.

use std::time::Duration;

use hub::config::Pace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Hub, ORIGIN, Options, request, token, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_notification_has_an_id_to_resume_from() {
    let hub = Hub::start().await;
    hub.redis.push("alice", "e1", 4).await;
    let mut events = hub.events("alice", "", "").await;
    assert!(events.head.starts_with("HTTP/1.1 200 "));
    assert!(events.head.contains("content-type: text/event-stream\r\n"));
    // Otherwise nginx would buffer the events until its buffer is full.
    assert!(events.head.contains("x-accel-buffering: no\r\n"));
    // The position to resume from comes before any notification.
    let first = events.next().await.unwrap();
    assert_eq!((first.id.as_deref(), first.event), (Some("e1:4"), None));
    let five = hub.redis.create("alice", "e1", 5).await;
    let told = events.next().await.unwrap();
    assert_eq!((told.id.as_deref(), told.event.as_deref()), (Some("e1:5"), Some("notification")));
    assert_eq!(told.data, five);
    // A foreign notification has no id: an EventSource keeps the last one.
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    let foreign = events.next().await.unwrap();
    assert_eq!((foreign.id, foreign.data.as_str()), (None, r#"{"userId":"alice"}"#));
    let read = r#"{"type":"read","userId":"alice","upTo":5,"unread":2}"#;
    hub.redis.command(&["PUBLISH", "bw:events", read]).await;
    assert_eq!(events.data("read").await, r#"{"type":"read","upTo":5,"unread":2}"#);
    hub.until_online(&["alice"]).await;
    drop(events);
    until("alice is offline", async || hub.online().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_resumes_after_its_last_event() {
    let hub = Hub::start().await;
    let mut expected = Vec::new();
    for seq in 1..=3 {
        expected.push(hub.redis.push("alice", "e1", seq).await);
    }
    let mut events = hub.events("alice", "?since=seq:2&epoch=e1", "Last-Event-ID: e1:1\r\n").await;
    // No id precedes the first missed entry: a stream that breaks off resumes at the same place.
    for seq in [2, 3] {
        let missed = events.next().await.unwrap();
        assert_eq!(missed.id, Some(format!("e1:{seq}")));
        assert_eq!(missed.data, expected[seq - 1]);
    }
    // An unknown cursor is a gap, because an EventSource cannot change it.
    let mut events = hub.events("alice", "", "Last-Event-ID: what?\r\n").await;
    let gap = r#"{"type":"gap","reason":"missed","epoch":"e1","seq":3}"#;
    assert_eq!(events.data("gap").await, gap);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_and_origins_are_the_same_as_for_sockets() {
    let hub = Hub::start().await;
    let bearer = format!("Authorization: Bearer {}\r\n", token("alice"));
    for (headers, status) in [
        (String::new(), 401),
        (format!("{bearer}Origin: https://evil.example\r\n"), 403),
        (format!("{bearer}Content-Length: 1\r\n"), 413),
    ] {
        let text = format!("GET /sse/notifications HTTP/1.1\r\nHost: hub\r\n{headers}\r\n");
        let answer = request(hub.address, &text).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let text = "POST /sse/notifications HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n";
    let refused = request(hub.address, text).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, OPTIONS")));
    let events = hub.events("alice", "", &format!("Origin: {ORIGIN}\r\n")).await;
    assert!(events.head.contains(&format!("access-control-allow-origin: {ORIGIN}\r\n")));
    assert!(events.head.contains("access-control-expose-headers: Retry-After, X-Request-Id\r\n"));
}

/// Its `fetch` would fail without a reason otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_listed_page_can_read_why_a_stream_was_refused() {
    let hub = Hub::start_with(Options {
        limit: Some(|limits| limits.sockets_per_user_max = 1),
        ..Options::default()
    })
    .await;
    let bearer = format!("Authorization: Bearer {}\r\n", token("alice"));
    let _first = hub.events("alice", "", "").await;
    for (headers, status, retry_after) in [
        (bearer.clone(), 429, Some("30")),
        (String::new(), 401, None),
        (format!("{bearer}Content-Length: 1\r\n"), 413, None),
    ] {
        let text = format!(
            "GET /sse/notifications HTTP/1.1\r\nHost: hub\r\nOrigin: {ORIGIN}\r\n{headers}\r\n"
        );
        let answer = request(hub.address, &text).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after));
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{status}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{status}");
        let exposed = answer.header("access-control-expose-headers");
        assert_eq!(exposed, Some("Retry-After, X-Request-Id"), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_permits_token_and_cursor_for_listed_pages() {
    let hub = Hub::start().await;
    for (origin, is_listed) in [(ORIGIN, true), ("https://evil.example", false)] {
        let mut connection = TcpStream::connect(hub.address).await.unwrap();
        let text = format!(
            "OPTIONS /sse/notifications HTTP/1.1\r\nHost: hub\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: GET\r\n\
             Access-Control-Request-Headers: authorization,last-event-id\r\n\r\n"
        );
        connection.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        let allows = answer.contains(&format!("access-control-allow-origin: {origin}\r\n"));
        assert_eq!(allows, is_listed, "{answer}");
        for header in ["Authorization", "Last-Event-ID", "GET"] {
            assert!(answer.contains(header), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_is_kept_alive_until_its_token_expires_or_the_hub_ends() {
    let pace = Pace { ping_interval: Duration::from_millis(100), ..Pace::default() };
    let mut hub = Hub::start_with(Options { pace, ..Options::default() }).await;
    let mut events = hub.events("alice", "", "").await;
    let expiring = crate::support::token_until("bob", crate::support::now_s() - 59.0);
    let bearer = format!("Authorization: Bearer {expiring}\r\n");
    let mut expires = crate::support::Events::connect(hub.address, "", &bearer).await;
    assert_eq!(expires.next().await, None);
    // The stream is still open after many keep-alive comments.
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(events.data("notification").await, r#"{"userId":"alice"}"#);
    hub.stop().await;
    assert!(events.next().await.unwrap().retry.is_some());
    assert_eq!(events.next().await, None);
}
