//! From the subscription to the users: one thread passes on messages ([`dispatcher`]) and detects a
//! subscription that no longer receives (`probe.rs`); one task reads missed notifications
//! ([`catchup`]).
//!
//! Decides nothing about order and keeps no feed: both are in [`users`](crate::users).

pub(crate) mod catchup;
pub(crate) mod dispatcher;
mod probe;
pub(crate) mod pubsub_backlog;
