//! What nobody well-behaved would do: odd content in Redis, and clients that break rules.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use hub::config::Pace;

use crate::support::{Hub, Options, RedisServer, SOON, token, until};

/// One user's companion must never concern anybody else.
#[tokio::test(flavor = "multi_thread")]
async fn odd_companions_stop_nobody() {
    let hub = Hub::start().await;
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

/// Sends a head and gives the status of the answer; `None` where the hub just hangs up.
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
async fn heads_that_are_odd_get_an_answer_that_says_why() {
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

/// The user would be online for as long as the kernel tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_events_that_takes_nothing_any_more_is_gone() {
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
    // More than the kernels keep, and less than the hub does.
    let filler = "x".repeat(800 * 1024);
    for _ in 0..2 {
        let notification = format!(r#"{{"userId":"alice","x":"{filler}"}}"#);
        hub.redis.publish(&format!(r#"{{"notification":{notification}}}"#)).await;
    }
    hub.until_online(&[]).await;
}

/// Whoever may not read feeds, or has one that is too large to be read, is asked after again: with
/// pauses, not as fast as Redis refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_can_never_be_read_is_not_asked_for_all_the_time() {
    let redis = RedisServer::start().await;
    redis.command(&["ACL", "SETUSER", "hub", "on", "nopass", "~*", "&*", "+@all", "-lrange"]).await;
    redis.push("alice", "e1", 1).await;
    let redis_url = Some(redis.url().replace("redis://", "redis://hub:x@"));
    let hub = Hub::start_on(redis, Options { redis_url, ..Options::default() }).await;
    // It hears Redis, and says what it may not do there.
    until("the hub names the command", async || {
        let answer = hub.get("/readyz").await;
        answer.status == 503 && answer.body.to_lowercase().contains("lrange")
    })
    .await;
    let mut v1 = hub.resume("alice", "?since=seq:0&epoch=e1", "bellwire.v1").await;
    assert_eq!(v1.welcome().await, r#"{"type":"welcome","epoch":null,"seq":0,"unread":null}"#);
    // Long enough for thousands.
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
