//! The two connections to Redis, one that is subscribed and one for commands, and what is read over
//! them: messages of the channels, users' feeds, the permissions of the hub's Redis user.
//!
//! Keeps nothing about users and decides nothing about their notifications. When the subscription is
//! replaced is decided in [`delivery`](crate::delivery).

pub(crate) mod backoff;
pub mod commands;
pub(crate) mod feed_reader;
pub(crate) mod permissions;
pub(crate) mod pubsub_connection;
pub(crate) mod pubsub_parser;
