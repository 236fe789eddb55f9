//! From the subscription to the users: one thread hands on messages ([`dispatcher`]) and finds out
//! when it is deaf (`probe.rs`); one task reads what may have been missed ([`catchup`]).
//!
//! Decides nothing about a user's order, and keeps no feed: both are in [`users`](crate::users).

pub mod catchup;
pub mod dispatcher;
mod probe;
pub mod pubsub_backlog;
