//! A WebSocket client at the level of bytes, for frames that no client library sends.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::SOON;

/// A received frame: the first byte (FIN, reserved bits, opcode) and the payload.
pub type Frame = (u8, Vec<u8>);

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A handshake; each of the `headers` includes its line break.
pub fn handshake(headers: &str) -> Vec<u8> {
    format!(
        "GET /ws/notifications HTTP/1.1\r\nHost: hub\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into()
}

/// A masked frame with this first byte; its length field is as short as possible.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = header(first, payload.len());
    header.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    header
}

/// The header of [`frame`], for payloads that are never sent.
pub fn header(first: u8, length: usize) -> Vec<u8> {
    let mut header = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => header.push(0x80 | short),
        (_, Ok(medium)) => {
            header.push(0x80 | 126);
            header.extend(medium.to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend((length as u64).to_be_bytes());
        }
    }
    header.extend(MASK);
    header
}

pub struct Peer {
    connection: TcpStream,
}

impl Peer {
    /// Sends a handshake and `early` in the same segment.
    pub async fn connect(address: SocketAddr, handshake: &[u8], early: &[u8]) -> Self {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.set_nodelay(true).unwrap();
        connection.write_all(&[handshake, early].concat()).await.unwrap();
        Self { connection }
    }

    /// Sends bytes in pieces. A server that has closed is not an error here.
    pub async fn send(&mut self, bytes: &[u8], piece: usize) {
        for piece in bytes.chunks(piece) {
            if self.connection.write_all(piece).await.is_err() {
                return;
            }
        }
    }

    /// Sends bytes in pieces, with a pause after each; the server must accept all of them.
    pub async fn send_all(
        &mut self,
        bytes: &[u8],
        piece: usize,
        pause: Duration,
    ) -> std::io::Result<()> {
        for piece in bytes.chunks(piece) {
            self.connection.write_all(piece).await?;
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        Ok(())
    }

    /// Everything received until the server closes, except for the answer to the handshake.
    pub async fn frames(mut self) -> Vec<Frame> {
        let mut bytes = Vec::new();
        let read = timeout(SOON, self.connection.read_to_end(&mut bytes)).await;
        match read.expect("the server closes in time") {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                panic!("reset, so that the last frame may be lost: {bytes:?}");
            }
            Err(error) => panic!("{error}"),
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let (head, mut rest) = bytes.split_at(end);
        let head = String::from_utf8_lossy(head);
        // The key and its answer are the example of §1.3.
        let is_switched = head.starts_with("HTTP/1.1 101 ")
            && head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
        assert!(is_switched, "{head}");
        let mut frames = Vec::new();
        while !rest.is_empty() {
            frames.push(take(&mut rest).unwrap_or_else(|| panic!("half a frame: {rest:?}")));
        }
        frames
    }
}

/// One frame from the front, which a server must not mask (§5.1).
fn take(rest: &mut &[u8]) -> Option<Frame> {
    let [first, second, tail @ ..] = *rest else { return None };
    assert!(second & 0x80 == 0, "a server's frame is masked");
    let (length, tail) = match second {
        126 => (u64::from(u16::from_be_bytes(*tail.first_chunk()?)), tail.get(2..)?),
        127 => (u64::from_be_bytes(*tail.first_chunk()?), tail.get(8..)?),
        short => (u64::from(*short), tail),
    };
    let (payload, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some((*first, payload.to_vec()))
}
