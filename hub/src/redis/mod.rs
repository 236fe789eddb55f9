//! The two connections to Redis, one that is subscribed and one for commands, and what is read over
//! them: messages of the channels, users' feeds, the permissions of the hub's Redis user.
//!
//! Keeps nothing about users and decides nothing about their notifications. When the subscription is
//! replaced is decided in [`delivery`](crate::delivery).

pub mod backoff;
pub mod commands;
pub mod feed_reader;
pub mod permissions;
pub mod pubsub_connection;
pub mod pubsub_parser;
