//! Events in the life of one socket.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hub::config::Pace;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{self, Client, Hub, Options, now_s, token, token_until, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_closed_and_delays_no_other() {
    let hub = Hub::start().await;
    let connection = TcpSocket::new_v4().unwrap();
    connection.set_recv_buffer_size(4096).unwrap();
    let connection = connection.connect(hub.address).await.unwrap();
    let mut slow = Client::connect_over(connection, &token("alice"), None).await.unwrap();
    let (mut fast, mut bob) = (hub.connect("alice").await, hub.connect("bob").await);
    let alices = format!(r#"{{"userId":"alice","data":"{}"}}"#, "x".repeat(60_000));
    let mut longest = Duration::ZERO;
    for _ in 0..300 {
        hub.redis.publish(&format!(r#"{{"notification":{alices}}}"#)).await;
        hub.redis.publish(r#"{"notification":{"userId":"bob"}}"#).await;
        let start = Instant::now();
        assert_eq!(bob.text().await.len(), 16);
        assert_eq!(fast.text().await.len(), alices.len());
        longest = longest.max(start.elapsed());
    }
    assert!(longest < Duration::from_secs(2), "others waited for {longest:?}");
    assert_eq!(slow.close_code().await, 4408);
    assert!(bob.is_silent().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slow_clients_are_closed_before_they_use_up_the_memory() {
    // Half of the limit for a single client.
    const BYTES_MAX: usize = 1024 * 1024;
    let metrics_token = Some("scrape".to_owned());
    let queued_bytes_max = Some(BYTES_MAX);
    let hub = Options { queued_bytes_max, metrics_token, ..Options::default() };
    let hub = Hub::start_with(hub).await;
    let mut slow = Vec::new();
    for user in 0..8 {
        let connection = TcpSocket::new_v4().unwrap();
        connection.set_recv_buffer_size(4096).unwrap();
        let connection = connection.connect(hub.address).await.unwrap();
        let token = token(&format!("slow-{user}"));
        slow.push(Client::connect_over(connection, &token, None).await.unwrap());
    }
    let mut bob = hub.connect("bob").await;
    let filler = "x".repeat(60_000);
    let closed = r#"bellwire_hub_closed_total{code="4408"}"#;
    let start = Instant::now();
    // Kernels buffer megabytes per connection first, each a different number.
    while metric(&hub, closed).await < 8 {
        assert!(start.elapsed() < Duration::from_secs(60), "not all slow clients are closed");
        for user in 0..8 {
            let text =
                format!(r#"{{"notification":{{"userId":"slow-{user}","data":"{filler}"}}}}"#);
            hub.redis.publish(&text).await;
        }
        hub.redis.publish(r#"{"notification":{"userId":"bob"}}"#).await;
        assert_eq!(bob.text().await, r#"{"userId":"bob"}"#);
        let waiting = metric(&hub, "bellwire_hub_queued_bytes").await;
        // Each may exceed the limit by one frame.
        assert!(waiting < BYTES_MAX + 8 * 61_000, "{waiting} bytes wait");
    }
    assert_eq!(metric(&hub, "bellwire_hub_queued_bytes").await, 0);
}

async fn metric(hub: &Hub, name: &str) -> usize {
    let request = "GET /metrics HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer scrape\r\n\r\n";
    let page = support::request(hub.address, request).await.body;
    let line = page.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_closes_the_socket_and_a_new_one_keeps_it() {
    let hub = Hub::start().await;
    // 2 s, leeway included.
    let short = token_until("alice", now_s() - 58.0);
    let mut expiring = Client::connect(hub.address, &short, None).await.unwrap();
    let mut renewed = Client::connect(hub.address, &short, Some("bellwire.v1")).await.unwrap();
    let renewal = format!(r#"{{"type":"auth","token":"{}"}}"#, token("alice"));
    renewed.send(Message::text(renewal)).await;
    assert_eq!(expiring.close_code().await, 4401);
    let first = renewed.json().await;
    assert_eq!(first["type"], "welcome");
    // 2 s, leeway included.
    assert!((1..=2_000).contains(&first["expiresInMs"].as_u64().unwrap()), "{first}");
    let answer = renewed.json().await;
    assert_eq!(answer["type"], "auth");
    // An hour and the leeway.
    assert!((3_600_000..=3_660_000).contains(&answer["expiresInMs"].as_u64().unwrap()), "{answer}");
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(renewed.notification().await, r#"{"userId":"alice"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_requires_a_valid_token_of_the_same_user() {
    let hub = Hub::start().await;
    for (token, code) in [(token("bob"), 4403), ("x.y.z".to_owned(), 4401)] {
        let mut client = hub.connect("alice").await;
        client.send(Message::text(format!(r#"{{"type":"auth","token":"{token}"}}"#))).await;
        assert_eq!(client.close_code().await, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_outside_the_protocol_close_v1_and_are_ignored_on_raw() {
    let hub = Hub::start().await;
    for message in [Message::text("hello"), Message::binary(vec![1])] {
        let (mut v1, _) = hub.connect_v1("alice").await;
        v1.send(message.clone()).await;
        assert_eq!(v1.close_code().await, 4400);
        let mut raw = hub.connect("alice").await;
        raw.send(message).await;
        hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
        assert_eq!(raw.text().await, r#"{"userId":"alice"}"#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_frames_and_many_frames_are_rejected() {
    let hub = Hub::start().await;
    let mut large = hub.connect("alice").await;
    large.send(Message::text("x".repeat(16 * 1024 + 1))).await;
    assert_eq!(large.close_code().await, 4413);
    let mut many = hub.connect("alice").await;
    for _ in 0..200 {
        // The hub may have closed already.
        if futures_util::SinkExt::send(&mut many.stream, Message::text("x")).await.is_err() {
            break;
        }
    }
    assert_eq!(many.close_code().await, 4429);
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_both_ways_and_a_silent_peer_is_closed() {
    let pace = Pace { ping_interval: Duration::from_millis(300), ..Pace::default() };
    let hub = Hub::start_with(Options { pace, ..Options::default() }).await;
    // A client that answers (by reading) stays over many pings; one that never reads is closed.
    let mut alive = hub.connect("alice").await;
    let silent = hub.connect("bob").await;
    alive.send(Message::Ping("hello".into())).await;
    let start = Instant::now();
    let (mut pings, mut is_answered) = (0, false);
    while start.elapsed() < Duration::from_secs(3) {
        let next = tokio::time::timeout(Duration::from_secs(1), alive.stream.next()).await;
        match next.expect("a ping in time").expect("open").unwrap() {
            Message::Ping(payload) => {
                assert_eq!(payload.len(), 8);
                pings += 1;
            }
            Message::Pong(payload) => is_answered = payload.as_ref() == b"hello",
            other => panic!("{other:?}"),
        }
    }
    assert!(pings >= 5 && is_answered);
    until("bob is offline", async || hub.online().await == ["alice"]).await;
    drop(silent);
}
