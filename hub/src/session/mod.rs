//! From a request's head to an open socket and its session: tokens, tickets, allowed origins,
//! subprotocol and cursor, renewal, and the limit on client messages.
//!
//! After the handshake, [`socket`](crate::socket) writes to the connection, and
//! [`users`](crate::users) delivers messages.

pub(crate) mod allowed_origins;
pub mod checks;
pub(crate) mod member;
pub(crate) mod state;
pub mod ticket_route;
pub mod tickets;
pub(crate) mod token;
pub mod upgrade;
