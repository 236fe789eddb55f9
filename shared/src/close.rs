//! The hub's close codes: a public contract. Clients decide by the code whether to reconnect.

/// Close codes of `/ws/notifications`. 4000–4999 are for applications (RFC 6455 §7.4.2). The hub
/// also answers a client's close with the client's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The client violated RFC 6455 (§7.4.1).
    Malformed,
    /// Text that is not UTF-8 (RFC 6455 §8.1).
    NotUtf8,
    /// The hub failed internally.
    Internal,
    /// The hub restarts; another one, or the next one, takes over.
    Restart,
    /// The protocol has no such message.
    Protocol,
    /// The token has expired: reconnect with a new one.
    TokenExpired,
    /// The token is not valid for this socket.
    Forbidden,
    /// The client was too slow or did not answer: reconnect and resume.
    TooSlow,
    /// The entries after the cursor cannot be delivered: reconnect without a cursor.
    CursorUnreachable,
    /// A message above the size limit.
    FrameTooLarge,
    /// Messages above the rate limit: reconnect later.
    TooFast,
}

impl CloseCode {
    pub const ALL: [CloseCode; 11] = [
        CloseCode::Malformed,
        CloseCode::NotUtf8,
        CloseCode::Internal,
        CloseCode::Restart,
        CloseCode::Protocol,
        CloseCode::TokenExpired,
        CloseCode::Forbidden,
        CloseCode::TooSlow,
        CloseCode::CursorUnreachable,
        CloseCode::FrameTooLarge,
        CloseCode::TooFast,
    ];

    /// The number in the close frame.
    pub fn as_u16(self) -> u16 {
        match self {
            CloseCode::Malformed => 1002,
            CloseCode::NotUtf8 => 1007,
            CloseCode::Internal => 1011,
            CloseCode::Restart => 1012,
            CloseCode::Protocol => 4400,
            CloseCode::TokenExpired => 4401,
            CloseCode::Forbidden => 4403,
            CloseCode::TooSlow => 4408,
            CloseCode::CursorUnreachable => 4410,
            CloseCode::FrameTooLarge => 4413,
            CloseCode::TooFast => 4429,
        }
    }

    /// The short text in the close frame, for people who read a browser's console.
    pub fn reason(self) -> &'static str {
        match self {
            CloseCode::Malformed => "malformed frame",
            CloseCode::NotUtf8 => "not UTF-8",
            CloseCode::Internal => "internal error",
            CloseCode::Restart => "restart",
            CloseCode::Protocol => "protocol violation",
            CloseCode::TokenExpired => "token expired",
            CloseCode::Forbidden => "forbidden",
            CloseCode::TooSlow => "too slow",
            CloseCode::CursorUnreachable => "cursor unreachable",
            CloseCode::FrameTooLarge => "frame too large",
            CloseCode::TooFast => "too fast",
        }
    }

    /// Whether the client should reconnect; otherwise it would be closed for the same reason again.
    pub fn is_retryable(self) -> bool {
        match self {
            CloseCode::Internal
            | CloseCode::Restart
            | CloseCode::TokenExpired
            | CloseCode::TooSlow
            | CloseCode::CursorUnreachable
            | CloseCode::TooFast => true,
            CloseCode::Malformed
            | CloseCode::NotUtf8
            | CloseCode::Protocol
            | CloseCode::Forbidden
            | CloseCode::FrameTooLarge => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_does_not_change() {
        let retryable = |wanted| {
            let codes = CloseCode::ALL.into_iter().filter(|code| code.is_retryable() == wanted);
            codes.map(CloseCode::as_u16).collect::<Vec<_>>()
        };
        assert_eq!(retryable(true), [1011, 1012, 4401, 4408, 4410, 4429]);
        assert_eq!(retryable(false), [1002, 1007, 4400, 4403, 4413]);
    }
}
