//! What a connection turns out to be: its first request is read and either becomes a socket or is
//! answered over HTTP and closed.
//!
//! Decides nothing about the client: [`admission`](crate::admission) decides how many may come,
//! [`session`](crate::session) who may open a socket.

pub(crate) mod first_request;
pub(crate) mod router;
