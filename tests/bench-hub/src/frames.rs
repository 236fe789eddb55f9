//! Parses server frames (RFC 6455 §5.2), and builds the only frame that the clients send.

use anyhow::{Result, bail, ensure};

/// No gateway here sends larger payloads.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;
const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

/// A whole frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// Length in bytes, header included.
    pub bytes: usize,
}

/// The frame at the start of `bytes`; `None` while it is incomplete.
///
/// # Errors
/// A frame that a server must not send, or that is larger than any gateway's.
pub fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let &[head, length, ..] = bytes else { return Ok(None) };
    ensure!(head & 0x80 != 0, "a fragment");
    ensure!(head & 0x70 == 0, "an extension that was not agreed on");
    ensure!(length & 0x80 == 0, "a masked frame");
    let (at, length) = match (length, bytes) {
        (126, &[_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([a, b]))),
        (127, &[_, _, a, b, c, d, e, f, g, h, ..]) => {
            let Ok(length) = usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h])) else {
                bail!("a frame that is too large");
            };
            (10, length)
        }
        (126 | 127, _) => return Ok(None),
        (length, _) => (2, usize::from(length)),
    };
    ensure!(length <= PAYLOAD_BYTES_MAX, "a frame of {length} bytes");
    let payload = bytes.get(at..at + length);
    Ok(payload.map(|payload| Frame { opcode: head & 0xf, payload, bytes: at + length }))
}

/// The answer to a ping. Its mask is zero: masks protect proxies from misreading the bytes, and
/// there are no proxies here.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    let payload = payload.get(..CONTROL_PAYLOAD_BYTES_MAX).unwrap_or(payload);
    let mut frame = vec![0x8a, 0x80 | u8::try_from(payload.len()).unwrap_or(0), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &[u8]) -> Vec<u8> {
        let mut frame = match payload.len() {
            0..126 => vec![0x81, payload.len() as u8],
            126..65_536 => vec![0x81, 126],
            _ => vec![0x81, 127],
        };
        match payload.len() {
            0..126 => {}
            126..65_536 => frame.extend((payload.len() as u16).to_be_bytes()),
            _ => frame.extend((payload.len() as u64).to_be_bytes()),
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn finds_frames_of_every_length() {
        for length in [0, 1, 125, 126, 200, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let frame = text(&payload);
            let mut bytes = frame.clone();
            bytes.extend_from_slice(b"\x89\x00");
            let found = first(&bytes).unwrap().unwrap();
            assert_eq!((found.opcode, found.payload), (TEXT, &payload[..]));
            let rest = first(&bytes[found.bytes..]).unwrap().unwrap();
            assert_eq!(rest, Frame { opcode: PING, payload: b"", bytes: 2 });
            for end in 0..frame.len().min(20) {
                assert_eq!(first(&frame[..end]).unwrap(), None, "{end} bytes of {length}");
            }
            assert_eq!(first(&frame[..frame.len() - 1]).unwrap(), None);
        }
    }

    #[test]
    fn rejects_frames_that_no_server_sends() {
        let masked = pong(b"x");
        let too_large = [0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0];
        for bad in [&b"\x01\x00"[..], b"\xc1\x00", &masked, &too_large] {
            assert!(first(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_pong_repeats_the_ping() {
        assert_eq!(pong(b"ab"), b"\x8a\x82\0\0\0\0ab");
        assert_eq!(pong(&[0; 200]).len(), 6 + CONTROL_PAYLOAD_BYTES_MAX);
    }
}
