//! Unusual content in Redis, and clients that break rules.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use hub::config::Pace;

use shared::live::Live;

use crate::support::{Hub, Options, RedisServer, SOON, in_both_modes, token, until};

/// An invalid companion must not affect other users.
async fn invalid_companions_stop_no_other_user(live: Live) {
    let hub = Hub::start_in(live).await;
    let heads = ["-9223372036854775808", "-1", "9223372036854775807", "1e3", "", "x"];
    let mut clients = Vec::new();
    for (at, head) in heads.into_iter().enumerate() {
        let user = format!("user{at}");
        let companion = format!("bw:feed:{{notifications:{user}}}");
        hub.redis.command(&["HSET", &companion, "epoch", "e\n1", "head", head, "n", "-5"]).await;
        clients.push((hub.connect_v1(&user).await, user));
    }
    hub.redis.command(&["SET", "bw:feed:{notifications:wrong}", "x"]).await;
    hub.redis.command(&["SET", "notifications:wrong", "x"]).await;
    clients.push((hub.connect_v1("wrong").await, "wrong".to_owned()));
    for ((client, welcome), user) in &mut clients {
        assert!(welcome.contains("welcome"), "{welcome}");
        for seq in [1, i64::MAX - 1, i64::MAX] {
            let bw = format!(r#"{{"epoch":"e\n1","seq":{seq}}}"#);
            let notification = format!(r#"{{"userId":"{user}"}}"#);
            hub.redis.publish(&format!(r#"{{"notification":{notification},"bw":{bw}}}"#)).await;
        }
        hub.redis.publish(&format!(r#"{{"notification":{{"userId":"{user}","x":1}}}}"#)).await;
        while !client.text().await.contains(r#""x":1"#) {}
    }
}

/// Sends a request head and returns the answer's status; `None` if the hub only closes.
async fn status(hub: &Hub, head: &str) -> Option<u16> {
    let mut connection = TcpStream::connect(hub.address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 64];
    let read = timeout(SOON + Duration::from_secs(10), connection.read(&mut bytes)).await;
    let read = read.expect("an answer in time").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
    text.split(' ').nth(1).map(|status| status.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_request_heads_get_the_right_status() {
    let hub = Hub::start().await;
    let bearer = token("alice");
    let upgrade = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {bearer}\r\n"
    );
    let lines = |count| "X: y\r\n".repeat(count);
    for (target, headers, expected) in [
        ("/ws/notifications HTTP/1.1", upgrade.clone(), 101),
        ("http://hub/ws/notifications HTTP/1.1", upgrade.clone(), 101),
        ("/ws/notifications HTTP/1.0", upgrade.clone(), 400),
        ("/ws/notifications HTTP/1.1", format!("{upgrade}{}", lines(70)), 101),
        ("/ws/notifications HTTP/1.1", format!("{upgrade}{}", lines(110)), 431),
        ("/ws/notifications HTTP/1.1", format!("{upgrade}X: a\r\n b\r\n"), 400),
        ("/ws/notifications HTTP/1.1", format!("{upgrade}Content-Length: 1\r\n"), 413),
        ("/ws/notifications HTTP/1.1", upgrade.replace("Connection: Upgrade\r\n", ""), 400),
        ("/ws/notifications HTTP/1.1", format!("{upgrade}X: {}\r\n", "a".repeat(30_000)), 431),
    ] {
        let head = format!("GET {target}\r\nHost: hub\r\n{headers}\r\n");
        let got = status(&hub, &head).await;
        assert_eq!(got, Some(expected), "{}", head.get(..300).unwrap_or(&head));
    }
}

/// Otherwise the user would stay online for as long as the kernel retransmits.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_whose_client_stops_reading_is_closed() {
    let ping_interval = Duration::from_millis(200);
    let pace = Pace { ping_interval, ..Pace::default() };
    let hub = Hub::start_with(Options { pace, ..Options::default() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut connection = socket.connect(hub.address).await.unwrap();
    let request = format!(
        "GET /sse/notifications HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {}\r\n\r\n",
        token("alice")
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    hub.until_online(&["alice"]).await;
    // More than the kernels buffer, and less than the hub queues.
    let filler = "x".repeat(800 * 1024);
    for _ in 0..2 {
        let notification = format!(r#"{{"userId":"alice","x":"{filler}"}}"#);
        hub.redis.publish(&format!(r#"{{"notification":{notification}}}"#)).await;
    }
    hub.until_online(&[]).await;
}

/// A feed that the hub may not read, or that is too large, is read again after pauses, not as fast as
/// Redis rejects the reads.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_feed_is_not_read_all_the_time() {
    let redis = RedisServer::start().await;
    redis.command(&["ACL", "SETUSER", "hub", "on", "nopass", "~*", "&*", "+@all", "-lrange"]).await;
    redis.push("alice", "e1", 1).await;
    let redis_url = Some(redis.url().replace("redis://", "redis://hub:x@"));
    let hub = Hub::start_on(redis, Options { redis_url, ..Options::default() }).await;
    // The hub receives from Redis, and names the command that it may not call.
    until("the hub names the command", async || {
        let answer = hub.get("/readyz").await;
        answer.status == 503 && answer.body.to_lowercase().contains("lrange")
    })
    .await;
    let mut v1 = hub.resume("alice", "?since=seq:0&epoch=e1", "bellwire.v1").await;
    assert_eq!(v1.welcome().await, r#"{"type":"welcome","epoch":null,"seq":0,"unread":null}"#);
    // Long enough for thousands of reads.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut connection = hub.redis.connection().await;
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    let refused = stats.lines().find_map(|line| {
        let (_, rest) = line.strip_prefix("cmdstat_lrange:")?.split_once("rejected_calls=")?;
        rest.split(',').next()?.parse::<u32>().ok()
    });
    assert!((1..10).contains(&refused.unwrap()), "{stats}");
}

in_both_modes! {
    invalid_companions_stop_no_other_user,
}
