//! From the subscriptions to the users: a thread for each connection passes on messages
//! ([`receiver`]) and detects a connection that no longer receives (`probe.rs`); one task reads missed
//! notifications ([`catchup`]). [`dispatcher`] hears the channels of all users, [`own`] those of this
//! hub's users.
//!
//! Decides nothing about order and keeps no feed: both are in [`users`](crate::users). Where a user's
//! channel is subscribed is decided in [`channels`](crate::channels).

pub(crate) mod catchup;
pub(crate) mod dispatcher;
pub(crate) mod own;
pub(crate) mod probe;
pub(crate) mod pubsub_backlog;
pub(crate) mod receiver;
pub(crate) mod servers;
