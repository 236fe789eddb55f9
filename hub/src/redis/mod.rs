//! The connections to Redis, one subscribed and those for commands ([`native::redis::Commands`]), and
//! their contents: messages of the channels, users' feeds, the permissions of the hub's Redis user.
//!
//! Keeps no state about users and decides nothing about notifications.
//! [`delivery`](crate::delivery) decides when to replace the subscription.

pub mod commands;
mod feed_heads;
pub(crate) mod feed_reader;
pub(crate) mod permissions;
pub mod preflight;
pub(crate) mod pubsub_connection;
pub mod pubsub_parser;
pub(crate) mod pubsub_writer;
