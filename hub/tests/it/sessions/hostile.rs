//! Hostile or broken clients: the hub serves the others meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{Hub, token, until};

/// `hub::limits::HEADER_DEADLINE`, with slack for a busy machine.
const HEADER_DEADLINE: Duration = Duration::from_secs(15 + 10);

/// Sends one byte after another, slowly enough to pass a deadline for each byte; returns the time until
/// the hub closed.
async fn trickle(address: SocketAddr, head: String) -> Duration {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let start = Instant::now();
    for byte in head.bytes().cycle() {
        if connection.write_all(&[byte]).await.is_err() {
            break;
        }
        let mut answer = [0; 1024];
        // Closed: earlier bytes are the answer, if any.
        let reading = timeout(Duration::from_millis(200), connection.read(&mut answer));
        if let Ok(Ok(0) | Err(_)) = reading.await {
            break;
        }
        assert!(start.elapsed() < HEADER_DEADLINE, "the hub has not closed");
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_handshakes_are_closed_and_delay_no_other_client() {
    let hub = Hub::start().await;
    let bearer = token("alice");
    let slow = (0..100).map(|number| {
        // An endless header, and an endless request line.
        let head =
            format!("GET /ws/notifications HTTP/1.1\r\nAuthorization: Bearer {bearer}\r\nX: ");
        trickle(hub.address, if number % 2 == 0 { head } else { "GET /aaaaaaaaaaaa".to_owned() })
    });
    // These send one byte instead of none: a busy machine may drop the last packet of a TCP handshake,
    // and only a further packet then completes the connection.
    let idle = join_all((0..500).map(|_| async {
        let mut connection = TcpStream::connect(hub.address).await?;
        connection.write_all(b"G").await.map(|()| connection)
    }))
    .await;
    let others = async {
        for round in 0..10 {
            let user = format!("bob{round}");
            let start = Instant::now();
            let mut client = hub.connect(&user).await;
            let notification = format!(r#"{{"userId":"{user}"}}"#);
            hub.redis.publish(&format!(r#"{{"notification":{notification}}}"#)).await;
            assert_eq!(client.text().await, notification);
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            sleep(Duration::from_millis(500)).await;
        }
    };
    let (let_for, ()) = tokio::join!(join_all(slow), others);
    let shortest = let_for.iter().min().unwrap();
    assert!(*shortest > Duration::from_secs(5), "closed at once, for another reason: {shortest:?}");
    for connection in idle {
        let mut connection = connection.unwrap();
        let closed = timeout(HEADER_DEADLINE, connection.read(&mut [0; 16])).await;
        assert!(matches!(closed.expect("closed in time"), Ok(0) | Err(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_answered_or_closed_and_the_hub_keeps_serving() {
    let hub = Hub::start().await;
    let bearer = token("alice");
    let handshake = format!(
        "GET /ws/notifications HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {bearer}\r\n\r\n"
    );
    let throwing = (0..400).map(|number| {
        let (handshake, address) = (&handshake, hub.address);
        async move {
            let mut connection = TcpStream::connect(address).await.unwrap();
            let garbage: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
                .take(fastrand::usize(1..40_000))
                .collect();
            let (head, rest): (&[u8], &[u8]) = match number % 4 {
                0 => (&garbage, b""),
                1 => (handshake.as_bytes(), &garbage),
                // A handshake cut anywhere, followed by garbage.
                2 => (&handshake.as_bytes()[..fastrand::usize(..handshake.len())], &garbage),
                // Garbage with the end of a head.
                _ => (&garbage, b"\r\n\r\n"),
            };
            // The hub may close before everything has arrived.
            let _ = connection.write_all(head).await;
            let _ = connection.write_all(rest).await;
            let _ = connection.shutdown().await;
            let mut answer = Vec::new();
            let reading = timeout(HEADER_DEADLINE, connection.read_to_end(&mut answer)).await;
            let _ = reading.expect("the hub closes in time");
        }
    });
    join_all(throwing).await;
    until("none of them is online", async || hub.online().await.is_empty()).await;
    let mut client = hub.connect("alice").await;
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}
