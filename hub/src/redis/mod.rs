//! The two connections to Redis, one subscribed and one for commands ([`native::redis::Commands`]), and
//! their contents: messages of the channels, users' feeds, the permissions of the hub's Redis user.
//!
//! Keeps no state about users and decides nothing about notifications.
//! [`delivery`](crate::delivery) decides when to replace the subscription.

pub mod commands;
mod feed_heads;
pub(crate) mod feed_reader;
pub(crate) mod permissions;
pub(crate) mod pubsub_connection;
pub(crate) mod pubsub_parser;
