//! From a request's head to an open socket, and what its user may do with it: tokens, tickets,
//! allowed origins, subprotocol and cursor, renewal, and how many messages the client may send.
//!
//! Writes nothing to a socket after its handshake ([`socket`](crate::socket)) and delivers nothing
//! ([`users`](crate::users)).

pub(crate) mod allowed_origins;
pub mod checks;
pub(crate) mod member;
pub(crate) mod state;
pub mod ticket_route;
pub mod tickets;
pub(crate) mod token;
pub mod upgrade;
