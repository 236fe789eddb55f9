//! From Redis to the sockets: order, resume, and outages of Redis without loss.

pub mod faults;
mod live;
mod muted;
mod odd;
mod outage;
mod probe;
pub mod relay;
mod resume;
mod unread;
