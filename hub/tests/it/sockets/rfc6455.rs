//! RFC 6455, case by case and byte by byte: against the hub's sockets with an echo behind them, and
//! against the hub itself, which ignores the messages of a raw client.

mod cases;

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::support::peer::{Frame, Peer, frame, handshake};
use crate::support::{Hub, echo, token};
use cases::{Case, answered, refused};

/// How the bytes of a case are cut into packets.
#[derive(Clone, Copy, Debug)]
enum Way {
    AtOnce,
    /// One byte at a time.
    Byte,
    /// In the same segment as the handshake.
    Pipelined,
}

const WAYS: [Way; 3] = [Way::AtOnce, Way::Byte, Way::Pipelined];

/// Longer cases are not sent byte by byte: each byte is a system call.
const BYTEWISE_MAX: usize = 2_000;
/// The hub accepts shorter messages and fewer frames than the echo.
const HUB_BYTES_MAX: usize = 16 * 1024;
const HUB_FRAMES_MAX: usize = 30;

async fn start_echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(echo::serve(listener));
    address
}

async fn run(address: SocketAddr, headers: &str, case: &Case, way: Way) -> Vec<Frame> {
    let handshake = handshake(headers);
    match way {
        Way::Pipelined => Peer::connect(address, &handshake, &case.sent).await,
        Way::AtOnce | Way::Byte => {
            let piece = if matches!(way, Way::Byte) { 1 } else { case.sent.len() };
            let mut peer = Peer::connect(address, &handshake, &[]).await;
            peer.send(&case.sent, piece).await;
            peer
        }
    }
    .frames()
    .await
}

async fn check_all(address: SocketAddr, headers: &str, cases: &[Case]) {
    for case in cases {
        for way in WAYS {
            if matches!(way, Way::Byte) && case.sent.len() > BYTEWISE_MAX {
                continue;
            }
            let frames = run(address, headers, case, way).await;
            assert_eq!(frames, case.expected, "{}, {way:?}", case.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_messages_are_answered() {
    check_all(start_echo().await, "", &answered()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn violations_of_the_rfc_close_the_connection_with_the_right_code() {
    check_all(start_echo().await, "", &refused()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_itself_answers_the_same_except_for_the_echo() {
    let hub = Hub::start().await;
    let cases: Vec<Case> = [answered(), refused()]
        .concat()
        .into_iter()
        .filter(|case| case.sent.len() <= HUB_BYTES_MAX && case.frames < HUB_FRAMES_MAX)
        .map(|mut case| {
            // Control frames only: opcodes from 8.
            case.expected.retain(|(first, _)| first & 0x08 != 0);
            case
        })
        .collect();
    assert!(cases.len() > 100);
    check_all(hub.address, &format!("Authorization: Bearer {}\r\n", token("alice")), &cases).await;
}

/// The peer's last frames may still be on their way when the server closes. The server ignores them,
/// but they must not make the kernel discard the server's close frame.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_after_the_last_frame_do_not_destroy_the_close_frame() {
    let address = start_echo().await;
    let flood = frame(0x82, &[0; 100_000]);
    for (last, code) in [(frame(0x88, b"\x03\xe8bye"), 1000_u16), (frame(0x83, b""), 1002)] {
        for way in [Way::AtOnce, Way::Pipelined] {
            let sent = [&last[..], &flood].concat();
            let case = Case { name: String::new(), sent, frames: 2, expected: Vec::new() };
            let frames = run(address, "", &case, way).await;
            let [(0x88, payload)] = &frames[..] else { panic!("{frames:?}") };
            assert!(payload.starts_with(&code.to_be_bytes()), "{payload:?}");
        }
    }
}
