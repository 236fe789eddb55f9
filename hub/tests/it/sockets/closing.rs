//! The hub closes connections while the client is still sending: the client receives the reason, and a
//! client that never stops sending is cut off in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::admission::Limits;
use hub::config::Pace;
use hub::limits::CLOSE_DEADLINE;
use hub::protocol::Protocol;
use hub::socket::connection::Connection;
use hub::socket::end::End;
use hub::socket::keepalive::Keepalive;
use hub::socket::task::{Listener, SocketTask};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::peer::{Peer, frame, handshake, header};
use crate::support::{Client, Hub, Options, SOON, token, until};

const LARGE: usize = 5 * 1024 * 1024;
/// Slack for a busy machine beyond the hub's deadline.
const SLACK: Duration = Duration::from_secs(5);
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;

async fn with_metrics() -> Hub {
    let metrics_token = Some("scrape".to_owned());
    Hub::start_with(Options { metrics_token, ..Options::default() }).await
}

fn bearer(user: &str) -> String {
    format!("Authorization: Bearer {}\r\n", token(user))
}

async fn peer(hub: &Hub, headers: &str) -> Peer {
    Peer::connect(hub.address, &handshake(headers), b"").await
}

/// The code of the only frame besides notifications, pings and pongs.
async fn code(peer: Peer) -> u16 {
    let frames = peer.frames().await;
    let closes = frames.into_iter().filter(|(first, _)| *first == 0x88);
    let codes: Vec<_> = closes.map(|(_, payload)| [payload[0], payload[1]]).collect();
    let [code] = codes[..] else { panic!("{codes:?}") };
    u16::from_be_bytes(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_5_mb_is_answered_with_4413_however_it_is_sent() {
    let hub = Hub::start().await;
    let payload = vec![b'x'; LARGE];
    let whole = frame(TEXT, &payload);
    let fragments: Vec<u8> = (payload.chunks(4096).enumerate())
        .flat_map(|(at, part)| frame(if at == 0 { 0x01 } else { 0x00 }, part))
        .collect();
    for (name, sent) in [("one frame", &whole), ("fragments", &fragments)] {
        for piece in [usize::MAX, 64 * 1024, 1000] {
            let mut peer = peer(&hub, &bearer("alice")).await;
            let sending = peer.send_all(sent, piece, Duration::ZERO).await;
            sending.unwrap_or_else(|error| panic!("{name}, {piece}: {error}"));
            assert_eq!(code(peer).await, 4413, "{name} in pieces of {piece}");
        }
    }
    // As slowly as the deadline allows.
    let mut slow = peer(&hub, &bearer("alice")).await;
    slow.send_all(&whole, LARGE / 100, CLOSE_DEADLINE / 250).await.unwrap();
    assert_eq!(code(slow).await, 4413);
    // A client library that reads only after sending everything.
    let mut client = hub.connect("alice").await;
    client.send(Message::text("x".repeat(LARGE))).await;
    assert_eq!(client.close_code().await, 4413);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_arrives_while_the_client_is_still_sending() {
    let hub = Hub::start().await;
    let v1 = "Sec-WebSocket-Protocol: bellwire.v1\r\n";
    let renewal = |token: &str| {
        let text = format!(r#"{{"type":"auth","token":"{token}"}}"#);
        frame(TEXT, text.as_bytes())
    };
    let pings = frame(PING, b"").repeat(100);
    for (sent, headers, expected) in [
        (vec![0xf1, 0x80, 0, 0, 0, 0], "", 1002),
        (frame(TEXT, b"\xff"), "", 1007),
        (frame(TEXT, b"hello"), v1, 4400),
        (renewal("x.y.z"), "", 4401),
        (renewal(&token("bob")), "", 4403),
        (pings, "", 4429),
        // The client's own code is repeated.
        (frame(0x88, b"\x03\xe8"), "", 1000),
    ] {
        let mut peer = peer(&hub, &format!("{}{headers}", bearer("alice"))).await;
        let sent = [&sent[..], &vec![0; LARGE]].concat();
        peer.send_all(&sent, 64 * 1024, Duration::ZERO).await.unwrap();
        assert_eq!(code(peer).await, expected);
    }
}

/// The kernels' buffers are full in both directions: one side must read first.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_only_after_sending_gets_everything_and_the_code() {
    let hub = with_metrics().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let connection = socket.connect(hub.address).await.unwrap();
    let mut client = Client::connect_over(connection, &token("alice"), None).await.unwrap();
    let (mut reader, count) = (hub.connect("alice").await, 100);
    let notification = format!(r#"{{"userId":"alice","x":"{}"}}"#, "x".repeat(60_000));
    for _ in 0..count {
        // One by one, so that the hub fills the kernel's buffer.
        hub.redis.publish(&format!(r#"{{"notification":{notification}}}"#)).await;
        assert_eq!(reader.text().await, notification);
        if hub.metric("queued_frames").await > 5.0 {
            break;
        }
    }
    client.send(Message::text("x".repeat(LARGE))).await;
    let mut heard = 0;
    let code = loop {
        match client.message().await {
            Message::Text(text) => {
                assert_eq!(text.as_str(), notification);
                heard += 1;
            }
            Message::Close(frame) => break u16::from(frame.unwrap().code),
            other => panic!("{other:?}"),
        }
    };
    assert!(heard > 0);
    assert_eq!(code, 4413);
}

/// Sends a request in full, whatever the answer, and then reads the whole answer.
async fn exchange(hub: &Hub, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(hub.address).await.unwrap();
    connection.write_all(request).await.expect("the hub accepts everything");
    let mut answer = Vec::new();
    let reading = timeout(SOON, connection.read_to_end(&mut answer)).await;
    reading.expect("in time").expect("no reset");
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_rejections_arrive_while_the_request_is_still_being_sent() {
    let hub = Hub::start().await;
    let (body, bearer) = ("x".repeat(LARGE), bearer("alice"));
    let with_body = |start: &str, headers: &str| {
        format!("{start} HTTP/1.1\r\nHost: hub\r\n{headers}Content-Length: {LARGE}\r\n\r\n{body}")
    };
    let handshake = |headers: &str| String::from_utf8(handshake(headers)).unwrap();
    for (request, status) in [
        (with_body("GET /ws/notifications", ""), 413),
        (with_body("POST /sse/notifications", ""), 405),
        (with_body("POST /ws/ticket", ""), 401),
        (with_body("POST /ws/ticket", &bearer), 201),
        (with_body("POST /nowhere", ""), 404),
        // No body announced, but the client keeps sending.
        (handshake("") + &body, 401),
        (handshake(&format!("{bearer}Origin: https://evil.example\r\n")) + &body, 403),
        // Before the end of the head.
        (format!("GET /ws/notifications HTTP/1.1\r\nX: {body}"), 431),
        (format!("GET / HTTP/1.1\r\n{}\r\n{body}", "X: y\r\n".repeat(200)), 431),
        (format!("nonsense\r\n\r\n{body}"), 400),
    ] {
        let answer = exchange(&hub, request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}");
    }
}

/// Sends until the hub closes; returns the time and the accepted bytes.
async fn flood(mut connection: TcpStream, piece: usize, pause: Duration) -> (Duration, usize) {
    let (piece, start, mut sent) = (vec![0; piece], Instant::now(), 0);
    while connection.write_all(&piece).await.is_ok() {
        sent += piece.len();
        assert!(
            start.elapsed() < CLOSE_DEADLINE + SLACK,
            "the hub has not closed after {sent} bytes"
        );
        sleep(pause).await;
    }
    (start.elapsed(), sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_stops_sending_is_cut_off_by_time_and_by_bytes() {
    let hub = with_metrics().await;
    let endless = [header(TEXT, 1 << 40), vec![0; 100]].concat();
    let begin = async |start: &[u8]| {
        let mut connection = TcpStream::connect(hub.address).await.unwrap();
        connection.write_all(start).await.unwrap();
        connection
    };
    let socket = [handshake(&bearer("alice")), endless].concat();
    // Plus the socket buffers of both sides.
    let bytes_max = hub::limits::CLOSE_DRAIN_BYTES_MAX + 16 * 1024 * 1024;
    for start in [&socket[..], &handshake("")] {
        let (_, sent) = flood(begin(start).await, 64 * 1024, Duration::ZERO).await;
        assert!(sent < bytes_max, "{sent}");
        let slowly = Duration::from_millis(20);
        let (time, _) = flood(begin(start).await, 10, slowly).await;
        assert!(time > CLOSE_DEADLINE / 2, "cut off at once: {time:?}");
    }
    until("their places are free", async || hub.metric("connections").await == 1.0).await;
}

/// A rejected client holds its place while the hub still reads from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_counts_until_it_is_closed() {
    let limit: fn(&mut Limits) = |limits| limits.connections_per_address_max = 2;
    let hub = Hub::start_with(Options { limit: Some(limit), ..Options::default() }).await;
    let mut refused = Vec::new();
    for _ in 0..2 {
        let mut connection = TcpStream::connect(hub.address).await.unwrap();
        connection.write_all(&handshake("")).await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
        refused.push(connection);
    }
    assert!(exchange(&hub, &handshake("")).await.starts_with("HTTP/1.1 429 "));
    drop(refused);
    until("their places are free", async || {
        exchange(&hub, &handshake("")).await.starts_with("HTTP/1.1 401 ")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_answers_no_pings_receives_the_close_code_while_it_sends() {
    let pace = Pace { ping_interval: Duration::from_millis(200), ..Pace::default() };
    let hub = Hub::start_with(Options { pace, ..Options::default() }).await;
    let mut peer = peer(&hub, &bearer("alice")).await;
    // An endless message, one byte at a time; pings are not answered.
    peer.send_all(&header(BINARY, 16_000), usize::MAX, Duration::ZERO).await.unwrap();
    peer.send_all(&[b'x'; 100], 1, Duration::from_millis(20)).await.unwrap();
    assert_eq!(code(peer).await, 4408);
}

/// Panics, like a bug.
struct Broken;

impl Listener for Broken {
    fn admit(&mut self) -> Option<End> {
        None
    }

    fn text(&mut self, _: &Arc<Connection>, text: String) -> Option<End> {
        panic!("{text}");
    }

    fn binary(&mut self, _: &Arc<Connection>, _: Vec<u8>) -> Option<End> {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_in_a_sockets_task_ends_that_socket_with_1011() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for early in [true, false] {
        let message = frame(TEXT, b"a test panics");
        let mut client = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (now, never) = (tokio::time::Instant::now(), Duration::from_secs(3600));
        let keepalive = Keepalive::new(now, never, now + never, true);
        let connection =
            Connection::new(stream, 0, Protocol::Raw, keepalive, Arc::default(), Arc::default());
        connection.open("open".into());
        let early = if early { message.clone() } else { Vec::new() };
        if early.is_empty() {
            client.write_all(&message).await.unwrap();
        }
        let running = tokio::spawn(SocketTask::new(connection, Broken, 1000).run(early));
        let mut heard = Vec::new();
        timeout(SOON, client.read_to_end(&mut heard)).await.unwrap().unwrap();
        drop(client);
        let frame = heard.strip_prefix(b"open").unwrap();
        assert_eq!(frame[0], 0x88);
        assert_eq!(frame[2..4], 1011_u16.to_be_bytes());
        assert_eq!(running.await.unwrap().code(), Some(1011));
    }
}
