//! Why a connection, a handshake or a ticket is refused, finer than the code that the client is told:
//! what an operator counts and reads.

use shared::{Code, Error};

/// See the module. Fixed, so that a scrape never grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The address has as many connections as one may have.
    AddressConnections,
    /// The address connects too often.
    AddressRate,
    /// All connections are taken.
    Connections,
    /// The head of the request is longer than one may be.
    HeadTooLarge,
    /// The head of the request did not come in time.
    HeadTimeout,
    /// What came is no HTTP request.
    HeadMalformed,
    /// Not a GET, or one with a body.
    Method,
    /// All clients together connect too fast.
    HandshakeRate,
    /// The query, or the cursor in it, cannot be read.
    Query,
    /// There is neither a token nor a ticket in a place where the hub looks.
    NoToken,
    /// The token does not verify; the detail in the log names the check.
    Token,
    TokenExpired,
    /// The hub has no key.
    NoKey,
    /// The ticket is unknown, was used, or is too old.
    Ticket,
    /// The user asks for tickets too often.
    TicketRate,
    /// The page is not in the list of origins.
    Origin,
    /// The token's subject is no user id.
    Subject,
    /// No subprotocol is offered that the hub speaks.
    Protocol,
    /// The request is no WebSocket handshake of version 13.
    Upgrade,
    /// The user has as many sockets as one may have.
    UserSockets,
    /// All sockets are taken.
    Sockets,
    /// Tickets need Redis, which is away.
    Redis,
    /// The hub is shutting down.
    Draining,
    Internal,
}

impl Reason {
    pub(crate) const ALL: [Reason; 24] = [
        Reason::AddressConnections,
        Reason::AddressRate,
        Reason::Connections,
        Reason::HeadTooLarge,
        Reason::HeadTimeout,
        Reason::HeadMalformed,
        Reason::Method,
        Reason::HandshakeRate,
        Reason::Query,
        Reason::NoToken,
        Reason::Token,
        Reason::TokenExpired,
        Reason::NoKey,
        Reason::Ticket,
        Reason::TicketRate,
        Reason::Origin,
        Reason::Subject,
        Reason::Protocol,
        Reason::Upgrade,
        Reason::UserSockets,
        Reason::Sockets,
        Reason::Redis,
        Reason::Draining,
        Reason::Internal,
    ];

    /// The word in the log and in the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::AddressConnections => "address_connections",
            Reason::AddressRate => "address_rate",
            Reason::Connections => "connections",
            Reason::HeadTooLarge => "head_too_large",
            Reason::HeadTimeout => "head_timeout",
            Reason::HeadMalformed => "head_malformed",
            Reason::Method => "method",
            Reason::HandshakeRate => "handshake_rate",
            Reason::Query => "query",
            Reason::NoToken => "no_token",
            Reason::Token => "token",
            Reason::TokenExpired => "token_expired",
            Reason::NoKey => "no_key",
            Reason::Ticket => "ticket",
            Reason::TicketRate => "ticket_rate",
            Reason::Origin => "origin",
            Reason::Subject => "subject",
            Reason::Protocol => "protocol",
            Reason::Upgrade => "upgrade",
            Reason::UserSockets => "user_sockets",
            Reason::Sockets => "sockets",
            Reason::Redis => "redis",
            Reason::Draining => "draining",
            Reason::Internal => "internal",
        }
    }

    /// The code that clients are told, or `none` where the answer is no problem+json, or there is none.
    pub(crate) fn code(self) -> &'static str {
        let code = match self {
            Reason::HeadTooLarge | Reason::HeadTimeout | Reason::HeadMalformed => return "none",
            Reason::AddressConnections | Reason::AddressRate | Reason::TicketRate => {
                Code::RateLimited
            }
            Reason::Connections | Reason::HandshakeRate | Reason::Sockets | Reason::Draining => {
                Code::NotReady
            }
            // That of most; a body is `payload_too_large`.
            Reason::Method => Code::MethodNotAllowed,
            Reason::Query | Reason::Protocol | Reason::Upgrade => Code::InvalidField,
            Reason::NoToken | Reason::Token | Reason::Ticket => Code::Unauthorized,
            Reason::TokenExpired => Code::TokenExpired,
            Reason::NoKey => Code::AuthNotConfigured,
            Reason::Origin | Reason::Subject => Code::Forbidden,
            Reason::UserSockets => Code::TooManySockets,
            Reason::Redis => Code::RedisUnavailable,
            Reason::Internal => Code::Internal,
        };
        code.as_str()
    }

    /// The error of a refusal for this reason.
    pub(crate) fn because(self, error: Error) -> Refused {
        Refused { reason: self, error }
    }

    /// For what the check of a token says.
    pub(crate) fn of_token(error: Error) -> Refused {
        let reason = match error.code() {
            Code::TokenExpired => Reason::TokenExpired,
            Code::AuthNotConfigured => Reason::NoKey,
            _ => Reason::Token,
        };
        reason.because(error)
    }

    /// For what comes of asking for a ticket, or of showing one.
    pub(crate) fn of_ticket(error: Error) -> Refused {
        let reason = match error.code() {
            Code::TokenExpired => Reason::TokenExpired,
            Code::Forbidden => Reason::Subject,
            Code::RateLimited => Reason::TicketRate,
            Code::RedisUnavailable => Reason::Redis,
            Code::Internal => Reason::Internal,
            _ => Reason::Ticket,
        };
        reason.because(error)
    }
}

/// An error for the client, with the reason for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(crate) reason: Reason,
    pub(crate) error: Error,
}
