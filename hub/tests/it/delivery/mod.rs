//! From Redis to the sockets: order, resume, and what outages of Redis may not lose.

pub mod faults;
mod live;
mod odd;
mod outage;
mod probe;
mod relay;
mod resume;
mod unread;
