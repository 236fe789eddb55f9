//! From the subscription to the users: one thread hands on messages ([`dispatcher`]) and finds out
//! when it is deaf (`probe.rs`); one task reads what may have been missed ([`catchup`]).
//!
//! Decides nothing about a user's order, and keeps no feed: both are in [`users`](crate::users).

pub(crate) mod catchup;
pub(crate) mod dispatcher;
mod probe;
pub(crate) mod pubsub_backlog;
