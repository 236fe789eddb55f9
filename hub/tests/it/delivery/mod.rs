//! From Redis to the sockets: order, resume, and outages of Redis without loss.

pub mod faults;
mod live;
mod odd;
mod outage;
mod probe;
mod relay;
mod resume;
mod unread;
