//! Accepts connections and reads the first request of each: the connection becomes a socket, or the
//! request is answered over HTTP and the connection is closed.
//!
//! Decides nothing about the client: [`admission`](crate::admission) limits connections,
//! [`session`](crate::session) decides which clients may open a socket.

pub(crate) mod first_request;
pub(crate) mod listener;
pub(crate) mod router;
