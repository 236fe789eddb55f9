//! Encodes frames (RFC 6455 §5.2): unmasked, unfragmented, each in one allocation, which the
//! sockets of a user share and the kernel receives as it is.
//!
//! Own code, because every library keeps a write buffer per socket and copies each frame into it
//! under a `&mut` of the socket: frames could not be shared, nor written by the delivering thread.

use bytes::Bytes;

/// The type of a frame (§5.2, and the registry of §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0,
            Opcode::Text => 1,
            Opcode::Binary => 2,
            Opcode::Close => 8,
            Opcode::Ping => 9,
            Opcode::Pong => 10,
        }
    }

    /// Whether this is a control frame: short, never fragmented, allowed between fragments (§5.5).
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// Longest header of a server's frame, in bytes.
const HEADER_BYTES_MAX: usize = 10;
/// Set on the last frame of a message; the hub's messages have one frame each.
const FIN: u8 = 0x80;

/// Encodes one message as one frame; the payload is passed in parts, so that it is copied only
/// once.
pub fn encode(opcode: Opcode, parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = Vec::with_capacity(HEADER_BYTES_MAX + length);
    frame.push(FIN | opcode.bits());
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    for part in parts {
        frame.extend_from_slice(part);
    }
    frame.into()
}

/// Encodes a close frame (§5.5.1).
pub(crate) fn close(code: u16, reason: &str) -> Bytes {
    encode(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_few_bytes_as_they_can() {
        for (length, header) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let text = "x".repeat(length);
            let frame = encode(Opcode::Text, &[text.as_bytes()]);
            assert_eq!(frame.strip_suffix(text.as_bytes()).unwrap(), header);
        }
        assert_eq!(encode(Opcode::Text, &[b"a", b"b", b"c"]).as_ref(), b"\x81\x03abc");
        assert_eq!(close(4401, "no").as_ref(), b"\x88\x04\x11\x31no");
    }
}
