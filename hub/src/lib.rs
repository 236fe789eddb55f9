//! The hub: holds browsers' WebSockets and relays the Redis channel `notifications` to exactly the
//! right ones. In the order data flows:
//!
//! - a connection: [`server`] → [`http`] → [`upgrade`] ([`handshake`]) → [`session`] ([`outbox`])
//! - a message: [`subscriber`] → [`registry`] ([`order`]) → [`outbox`] → [`session`]
//! - what was missed: [`catchup`] ([`feed`]) → [`registry`]
//! - outwards: [`presence`] ([`round`], [`incarnation`]), [`relay`]
//!
//! It has no database and decides nothing about notifications; it writes to Redis only who is
//! online.

pub mod allowance;
pub mod auth;
pub mod backoff;
pub mod catchup;
pub mod cli;
pub mod commands;
pub mod config;
pub mod feed;
pub mod handshake;
pub mod health;
pub mod held;
pub mod http;
pub mod incarnation;
pub mod limits;
pub mod logging;
pub mod order;
pub mod outbox;
pub mod presence;
pub mod protocol;
pub mod registry;
pub mod relay;
pub mod round;
pub mod server;
pub mod session;
pub mod subscriber;
pub mod token;
pub mod upgrade;
