//! Why a connection, a handshake or a ticket request is rejected. Finer than the client's error
//! code; for logs and metrics.

use shared::{Code, Error};

/// The reason for a rejection. The set is fixed, so that the size of a scrape is, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The address has the maximum number of connections.
    AddressConnections,
    /// The address connects too often.
    AddressRate,
    /// The hub has the maximum number of connections.
    Connections,
    /// The head of the request is too long.
    HeadTooLarge,
    /// The head of the request did not arrive in time.
    HeadTimeout,
    /// The bytes received are not an HTTP request.
    HeadMalformed,
    /// The method is not GET, or the request has a body.
    Method,
    /// All clients together connect too often.
    HandshakeRate,
    /// The query, or the cursor in it, is invalid.
    Query,
    /// The request has neither a token nor a ticket where the hub looks for them.
    NoToken,
    /// The token is invalid; the detail in the log names the failed check.
    Token,
    TokenExpired,
    /// No key is configured.
    NoKey,
    /// There are no keys from the identity provider yet.
    Provider,
    /// The ticket is unknown, used or expired.
    Ticket,
    /// The user requests tickets too often.
    TicketRate,
    /// The page's origin is not allowed.
    Origin,
    /// The token's subject is not a user id.
    Subject,
    /// The hub supports none of the offered subprotocols.
    Protocol,
    /// The request is not a WebSocket handshake of version 13.
    Upgrade,
    /// The user has the maximum number of sockets.
    UserSockets,
    /// The hub has the maximum number of sockets.
    Sockets,
    /// Tickets need Redis, which is unreachable.
    Redis,
    /// The hub is shutting down.
    Draining,
    Internal,
}

impl Reason {
    pub(crate) const ALL: [Reason; 25] = [
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
        Reason::Provider,
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

    /// The label in the log and in the metrics.
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
            Reason::Provider => "provider",
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

    /// The error code in the client's answer, or `none` if there is no problem+json answer.
    pub(crate) fn code(self) -> &'static str {
        let code = match self {
            Reason::HeadTooLarge | Reason::HeadTimeout | Reason::HeadMalformed => return "none",
            Reason::AddressConnections | Reason::AddressRate | Reason::TicketRate => {
                Code::RateLimited
            }
            Reason::Connections | Reason::HandshakeRate | Reason::Sockets | Reason::Draining => {
                Code::NotReady
            }
            // For most such requests; one with a body gets `payload_too_large`.
            Reason::Method => Code::MethodNotAllowed,
            Reason::Query | Reason::Protocol | Reason::Upgrade => Code::InvalidField,
            Reason::NoToken | Reason::Token | Reason::Ticket => Code::Unauthorized,
            Reason::TokenExpired => Code::TokenExpired,
            Reason::NoKey => Code::AuthNotConfigured,
            Reason::Provider => Code::AuthUnavailable,
            Reason::Origin | Reason::Subject => Code::Forbidden,
            Reason::UserSockets => Code::TooManySockets,
            Reason::Redis => Code::RedisUnavailable,
            Reason::Internal => Code::Internal,
        };
        code.as_str()
    }

    /// The rejection for this reason with `error` as the client's answer.
    pub(crate) fn because(self, error: Error) -> Refused {
        Refused { reason: self, error }
    }

    /// The rejection for an error of the token check.
    pub(crate) fn of_token(error: Error) -> Refused {
        let reason = match error.code() {
            Code::TokenExpired => Reason::TokenExpired,
            Code::AuthNotConfigured => Reason::NoKey,
            Code::AuthUnavailable => Reason::Provider,
            _ => Reason::Token,
        };
        reason.because(error)
    }

    /// The rejection for an error of issuing or redeeming a ticket.
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

/// The client's error and the operator's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(crate) reason: Reason,
    pub(crate) error: Error,
}
