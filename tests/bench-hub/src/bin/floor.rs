//! The floor of the hub's benchmark: the least work of a forwarder from Redis to WebSockets.
//!
//! It performs no validation (the user is the path), follows one channel, finds `userId` by
//! searching for the bytes, and writes each message with one call. No tokens, presence, pings,
//! order, queues or limits: a slow socket loses messages. Never run it anywhere else.
//!
//! `bench-hub-floor PORT REDIS_ADDRESS`

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write as _;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const HEAD_BYTES_MAX: usize = 4096;
const MESSAGE_BYTES_MAX: usize = 1 << 20;
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const SUBSCRIBE: &[u8] = b"*2\r\n$9\r\nSUBSCRIBE\r\n$13\r\nnotifications\r\n";
const SUBSCRIBED: &[u8] = b"*3\r\n$9\r\nsubscribe\r\n";
/// The bytes before the length of a message.
const PUSH: &[u8] = b"*3\r\n$7\r\nmessage\r\n$13\r\nnotifications\r\n$";
const NOTIFICATION: &[u8] = b"{\"notification\":";
const USER_ID: &[u8] = b"\"userId\":\"";
const POSITION: &[u8] = b",\"bw\":";

type Sockets = Rc<RefCell<HashMap<Vec<u8>, Rc<TcpStream>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().context("a port")?.parse()?;
    let redis = args.next().context("the address of Redis")?;
    let sockets = Sockets::default();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let tasks = tokio::task::LocalSet::new();
    let followed = sockets.clone();
    tasks.spawn_local(async move {
        if let Err(error) = follow(&redis, &followed).await {
            eprintln!("Redis: {error:#}");
            std::process::exit(1);
        }
    });
    tasks
        .run_until(async {
            writeln!(std::io::stdout(), "listening")?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let sockets = sockets.clone();
                tokio::task::spawn_local(async move {
                    if let Some((user, stream)) = handshake(stream).await {
                        let stream = Rc::new(stream);
                        sockets.borrow_mut().insert(user.clone(), Rc::clone(&stream));
                        until_closed(&stream).await;
                        sockets.borrow_mut().remove(&user);
                    }
                });
            }
        })
        .await
}

/// The user is the last segment of the path.
async fn handshake(mut stream: TcpStream) -> Option<(Vec<u8>, TcpStream)> {
    let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = std::str::from_utf8(&head).ok()?;
    let user = head.split(' ').nth(1)?.rsplit('/').next()?.as_bytes().to_vec();
    let key = head.split_once("Sec-WebSocket-Key: ")?.1.split_once('\r')?.0;
    let digest = sha1_smol::Sha1::from(format!("{key}{ACCEPT_SALT}")).digest().bytes();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Protocol: bellwire.raw\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(digest)
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some((user, stream))
}

/// Reads and drops a client's bytes.
async fn until_closed(stream: &TcpStream) {
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut [0; 64]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

async fn follow(redis: &str, sockets: &Sockets) -> Result<()> {
    let mut connection = TcpStream::connect(redis).await?;
    connection.write_all(SUBSCRIBE).await?;
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut frame = Vec::new();
    loop {
        ensure!(connection.read_buf(&mut bytes).await? > 0, "the connection ended");
        let mut done = 0;
        while let Some((message, taken)) = next(&bytes[done..])? {
            deliver(message, sockets, &mut frame);
            done += taken;
        }
        bytes.drain(..done);
    }
}

/// The first message, and its length in bytes; the answer to SUBSCRIBE counts as an empty message.
fn next(bytes: &[u8]) -> Result<Option<(&[u8], usize)>> {
    if bytes.starts_with(SUBSCRIBED) {
        return Ok(find(bytes, b":1\r\n").map(|at| (&bytes[..0], at + 4)));
    }
    let Some(rest) = bytes.strip_prefix(PUSH) else {
        let begins = |whole: &[u8]| whole.starts_with(&bytes[..bytes.len().min(whole.len())]);
        ensure!(begins(PUSH) || begins(SUBSCRIBED), "not a message");
        return Ok(None);
    };
    let Some(digits) = find(rest, b"\r\n") else { return Ok(None) };
    let length: usize = std::str::from_utf8(&rest[..digits])?.parse()?;
    ensure!(length <= MESSAGE_BYTES_MAX, "a message of {length} bytes");
    let message = rest.get(digits + 2..digits + 2 + length);
    let whole = PUSH.len() + digits + 2 + length + 2;
    Ok(message.filter(|_| bytes.len() >= whole).map(|message| (message, whole)))
}

fn deliver(message: &[u8], sockets: &Sockets, frame: &mut Vec<u8>) {
    let Some(inner) = message.strip_prefix(NOTIFICATION) else { return };
    let Some(user) = find(inner, USER_ID).map(|at| &inner[at + USER_ID.len()..]) else { return };
    let Some(end) = user.iter().position(|&byte| byte == b'"') else { return };
    let Some(stop) = inner.windows(POSITION.len()).rposition(|part| part == POSITION) else {
        return;
    };
    let sockets = sockets.borrow();
    let Some(socket) = sockets.get(&user[..end]) else { return };
    let payload = &inner[..stop];
    let Ok(length) = u16::try_from(payload.len()) else { return };
    frame.clear();
    match length {
        0..126 => frame.extend([0x81, length as u8]),
        _ => {
            frame.extend([0x81, 126]);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(payload);
    // One call; the part that does not fit is lost.
    let _ = socket.try_write(frame);
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_messages_split_at_any_byte() {
        let message = "*3\r\n$7\r\nmessage\r\n$13\r\nnotifications\r\n$5\r\nhello\r\n";
        let subscribed = "*3\r\n$9\r\nsubscribe\r\n$13\r\nnotifications\r\n:1\r\n";
        let all = format!("{subscribed}{message}{message}");
        for size in 1..all.len() {
            let (mut bytes, mut found) = (Vec::new(), Vec::new());
            for part in all.as_bytes().chunks(size) {
                bytes.extend_from_slice(part);
                while let Some((message, taken)) = next(&bytes).unwrap() {
                    found.push(String::from_utf8(message.to_vec()).unwrap());
                    bytes.drain(..taken);
                }
            }
            assert_eq!(found, ["", "hello", "hello"], "in parts of {size}");
        }
        assert!(next(b"-ERR\r\n").is_err());
    }
}
