//! One connection from its handshake to its end: frames in and out by RFC 6455, a bounded queue
//! ([`outbox`]: a client that is slower is closed), the task that reads and writes on, pings, and the
//! lingering close.
//!
//! Knows no user and no notification: what messages mean is the business of a
//! [`Listener`](task::Listener), which frames are sent that of whoever pushes them.

pub mod connection;
pub mod decode;
pub mod end;
pub mod keepalive;
pub(crate) mod linger;
pub(crate) mod outbox;
pub mod task;
pub(crate) mod timer_wheel;
pub(crate) mod total_queued;
