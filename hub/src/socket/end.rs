//! Why a connection ends, and the close frame for its peer.

use bytes::Bytes;
use shared::CloseCode;

use crate::protocol::frame;

/// The reason for the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed the connection or vanished.
    Gone,
    /// The peer sent a close frame, which is answered with one.
    Answer { code: Option<u16> },
    /// The hub closes, with a code of its own or one of RFC 6455 §7.4.1.
    Close { code: u16, reason: &'static str },
}

impl From<CloseCode> for End {
    fn from(code: CloseCode) -> Self {
        End::Close { code: code.as_u16(), reason: code.reason() }
    }
}

impl End {
    /// The close code of either side, if there is one.
    pub fn code(self) -> Option<u16> {
        match self {
            End::Gone => None,
            End::Answer { code } => code,
            End::Close { code, .. } => Some(code),
        }
    }

    /// The close frame for this reason.
    pub(super) fn frame(self) -> Option<Bytes> {
        match self {
            End::Gone => None,
            End::Answer { code: None } => Some(frame::encode(frame::Opcode::Close, &[])),
            End::Answer { code: Some(code) } => Some(frame::close(code, "")),
            End::Close { code, reason } => Some(frame::close(code, reason)),
        }
    }
}
