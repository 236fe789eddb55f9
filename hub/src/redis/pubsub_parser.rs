//! Parses the Redis protocol (RESP2) of a subscription: replies from a growing buffer; messages are
//! slices of it, not copies. Messages of shard channels (`smessage`) are messages.
//!
//! Own code, because this is the hub's hottest path: redis-rs parses every message with combinators
//! into nested values and passes it on through a channel, which took a third of the hub's own time
//! per message. Commands use redis-rs.

use bytes::{Bytes, BytesMut};

use crate::limits::CHANNEL_MESSAGE_BYTES_MAX;

/// Longest line (an error, a length), as Redis limits inline text.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A reply on a subscribed connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Message {
        channel: Bytes,
        payload: Bytes,
    },
    /// The subscription to one channel is confirmed.
    Subscribed,
    /// The subscription to a shard channel is confirmed.
    Joined(Bytes),
    /// The subscription to a shard channel has ended: as asked for, or because its slot has moved.
    Left(Bytes),
    /// The answer to a PING with this text.
    Pong(Bytes),
    /// `OK`, and other replies to ignore.
    Other,
    Error(String),
}

/// The text of an error that names the server of a slot: `MOVED 3999 host:port`. An empty host is
/// that of the server that was asked.
pub fn moved(error: &str) -> Option<(u16, &str)> {
    let (slot, server) = error.strip_prefix("MOVED ")?.split_once(' ')?;
    Some((slot.parse().ok()?, server))
}

/// The bytes are not RESP2, or announce a size above the limit: the connection is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed reply from Redis: {0}")]
pub struct Garbled(&'static str);

/// Takes the next reply from the front of the buffer, if it is complete.
///
/// # Errors
/// See [`Garbled`].
pub fn take(buffer: &mut BytesMut) -> Result<Option<Reply>, Garbled> {
    let Some((shape, length)) = parse(buffer)? else { return Ok(None) };
    let bytes = buffer.split_to(length).freeze();
    Ok(Some(match shape {
        Shape::Array(parts) => reply(&bytes, &parts),
        Shape::Error(text) => {
            let text = bytes.get(text.0..text.1).unwrap_or_default();
            Reply::Error(String::from_utf8_lossy(text).into_owned())
        }
        // Before the first subscription Redis answers a PING like this.
        Shape::Bulk(text) => Reply::Pong(bytes.slice(text.0..text.1)),
        Shape::Other => Reply::Other,
    }))
}

/// Start and end in the buffer.
type Range = (usize, usize);

enum Shape {
    /// Up to three bulk strings.
    Array([Option<Range>; 3]),
    Bulk(Range),
    Error(Range),
    Other,
}

fn reply(bytes: &Bytes, parts: &[Option<Range>; 3]) -> Reply {
    let [Some(kind), Some(second), payload] = parts else { return Reply::Other };
    let second = || bytes.slice(second.0..second.1);
    match (bytes.get(kind.0..kind.1), payload) {
        (Some(b"message" | b"smessage"), Some(payload)) => {
            Reply::Message { channel: second(), payload: bytes.slice(payload.0..payload.1) }
        }
        (Some(b"subscribe"), _) => Reply::Subscribed,
        (Some(b"ssubscribe"), _) => Reply::Joined(second()),
        (Some(b"sunsubscribe"), _) => Reply::Left(second()),
        (Some(b"pong"), _) => Reply::Pong(second()),
        _ => Reply::Other,
    }
}

/// The shape and length of the first reply.
fn parse(bytes: &[u8]) -> Result<Option<(Shape, usize)>, Garbled> {
    let Some((kind, text, mut at)) = line(bytes, 0)? else { return Ok(None) };
    match kind {
        b'*' => {}
        b'-' => return Ok(Some((Shape::Error(text), at))),
        b'+' | b':' => return Ok(Some((Shape::Other, at))),
        b'$' => {
            let bulk = bulk(bytes, text, at)?;
            let shape = |text: Option<Range>| text.map_or(Shape::Other, Shape::Bulk);
            return Ok(bulk.map(|(text, end)| (shape(text), end)));
        }
        _ => return Err(Garbled("an unexpected kind of reply")),
    }
    let count = number(bytes, text)?;
    if !(0..=8).contains(&count) {
        return Err(Garbled("an array of an unexpected length"));
    }
    let mut parts = [None; 3];
    for index in 0..count as usize {
        let Some((kind, text, next)) = line(bytes, at)? else { return Ok(None) };
        at = next;
        match kind {
            b'$' => {
                let Some((text, next)) = bulk(bytes, text, at)? else { return Ok(None) };
                if let Some(part) = parts.get_mut(index) {
                    *part = text;
                }
                at = next;
            }
            b':' | b'+' => {}
            _ => return Err(Garbled("an unexpected kind of element")),
        }
    }
    Ok(Some((Shape::Array(parts), at)))
}

/// The bulk string that begins at `at`, whose length is `length`, and the start of what follows it.
fn bulk(bytes: &[u8], length: Range, at: usize) -> Result<Option<(Option<Range>, usize)>, Garbled> {
    let Ok(length) = usize::try_from(number(bytes, length)?) else {
        return Ok(Some((None, at))); // null
    };
    if length > CHANNEL_MESSAGE_BYTES_MAX {
        return Err(Garbled("a message above the size limit"));
    }
    let end = at + length;
    if bytes.len() < end + 2 {
        return Ok(None);
    }
    if bytes.get(end..end + 2) != Some(b"\r\n") {
        return Err(Garbled("a string without CRLF"));
    }
    Ok(Some((Some((at, end)), end + 2)))
}

/// The line that begins at `at`: its kind, its text, and the start of the next one.
fn line(bytes: &[u8], at: usize) -> Result<Option<(u8, Range, usize)>, Garbled> {
    let Some((kind, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    // Lengths are short; `memchr` is faster only over long distances.
    match rest.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\r') {
        Some(length) => {
            let start = at + 1;
            let end = start + length;
            match bytes.get(end + 1) {
                Some(b'\n') => Ok(Some((*kind, (start, end), end + 2))),
                Some(_) => Err(Garbled("a line without CRLF")),
                None => Ok(None),
            }
        }
        None if rest.len() >= LINE_BYTES_MAX => Err(Garbled("a line above the size limit")),
        None => Ok(None),
    }
}

fn number(bytes: &[u8], text: Range) -> Result<i64, Garbled> {
    let text = bytes.get(text.0..text.1).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| Garbled("a length that is not a number"))?;
    text.parse().map_err(|_| Garbled("a length that is not a number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\na\r\nb\r\n";

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Reply>, Garbled> {
        let mut buffer = BytesMut::new();
        let mut replies = Vec::new();
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Some(reply) = take(&mut buffer)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    #[test]
    fn replies_come_out_whole_however_they_are_cut() {
        let bytes = [
            b"+OK\r\n".as_slice(),
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
            MESSAGE,
            b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n",
            b"*2\r\n$4\r\npong\r\n$1\r\n7\r\n",
            b"$1\r\n8\r\n",
            b"*3\r\n$10\r\nssubscribe\r\n$1\r\nc\r\n:2\r\n",
            b"*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\nm\r\n",
            b"*3\r\n$12\r\nsunsubscribe\r\n$1\r\nc\r\n:0\r\n",
            b"*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n",
            b"-ERR no\r\n",
            b":5\r\n",
            b"*0\r\n",
            b"*2\r\n$-1\r\n+a\r\n",
        ]
        .concat();
        let message = |payload: &'static [u8]| Reply::Message {
            channel: Bytes::from_static(b"c"),
            payload: Bytes::from_static(payload),
        };
        let expected = [
            Reply::Other,
            Reply::Subscribed,
            message(b"a\r\nb"),
            message(b""),
            Reply::Pong(Bytes::from_static(b"7")),
            Reply::Pong(Bytes::from_static(b"8")),
            Reply::Joined(Bytes::from_static(b"c")),
            message(b"m"),
            Reply::Left(Bytes::from_static(b"c")),
            Reply::Other,
            Reply::Error("ERR no".to_owned()),
            Reply::Other,
            Reply::Other,
            Reply::Other,
        ];
        for piece in [1, 2, 5, 1000] {
            assert_eq!(read(&bytes, piece).unwrap(), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn garbage_is_refused_and_so_is_what_is_too_large() {
        let large = format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${}\r\n", usize::MAX / 4);
        for bytes in [
            b"HTTP/1.1 400\r\n".as_slice(),
            b"*x\r\n",
            b"*9\r\n",
            b"*1\r\n*1\r\n",
            b"*1\r\n$2\r\nabc\r\n",
            b"+a\rb",
            large.as_bytes(),
        ] {
            assert!(read(bytes, 1000).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(read(&vec![b'+'; LINE_BYTES_MAX + 2], usize::MAX).is_err());
    }

    #[test]
    fn an_error_may_name_the_server_of_a_slot() {
        assert_eq!(moved("MOVED 3999 127.0.0.1:6381"), Some((3999, "127.0.0.1:6381")));
        assert_eq!(moved("MOVED 5 :6381"), Some((5, ":6381")));
        for other in ["MOVED", "MOVED x a:1", "MOVED 70000 a:1", "ASK 5 a:1", "ERR MOVED 5 a:1"] {
            assert_eq!(moved(other), None, "{other}");
        }
    }

    #[test]
    fn messages_share_the_buffer() {
        let mut buffer = BytesMut::from(MESSAGE);
        let start = buffer.as_ptr() as usize;
        let Some(Reply::Message { payload, .. }) = take(&mut buffer).unwrap() else { panic!() };
        assert_eq!(payload.as_ptr() as usize - start, MESSAGE.len() - 6);
    }

    proptest! {
        #[test]
        fn never_panics_and_pieces_do_not_matter(
            bytes in prop::collection::vec(
                prop::sample::select(b"*$+-:\r\n0123abc".to_vec()), 0..60),
            piece in 1_usize..10,
        ) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, 1000));
        }
    }
}
