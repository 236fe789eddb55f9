//! One connection from its handshake to its end: frames in both directions by RFC 6455, a bounded
//! queue ([`outbox`] closes slower clients), the task that reads and continues writes, pings, and
//! the lingering close.
//!
//! Knows no user and no notification: a [`Listener`](task::Listener) interprets messages, and the
//! callers of `push` choose the frames.

pub mod connection;
pub mod decode;
pub mod end;
pub mod keepalive;
pub(crate) mod linger;
pub(crate) mod outbox;
pub mod task;
pub(crate) mod timer_wheel;
pub(crate) mod total_queued;
