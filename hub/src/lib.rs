//! The hub: holds browsers' WebSockets and relays the Redis channel `notifications` to exactly the
//! right ones. In the order data flows:
//!
//! - a connection: [`server`] → [`http`] → [`upgrade`] ([`handshake`]) → [`session`] ([`outbox`])
//! - a message: [`subscriber`] → [`registry`] ([`order`]) → [`outbox`] → [`session`]
//! - what was missed: [`catchup`] ([`feed`]) → [`registry`]
//! - who may come in: [`admission`] ([`bucket`], [`forwarded`]), [`tickets`], [`origin`]
//! - outwards: [`presence`], [`relay`], [`metrics`]
//! - what it runs with: [`cli`] → [`config`]
//!
//! It has no database and decides nothing about notifications; it writes to Redis only who is
//! online, and tickets.

pub mod admission;
pub mod allowance;
pub mod auth;
pub mod backoff;
pub mod bucket;
pub mod catchup;
pub mod cli;
pub mod commands;
pub mod config;
pub mod feed;
pub mod forwarded;
pub mod handshake;
pub mod health;
pub mod held;
pub mod http;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod open_files;
pub mod order;
pub mod origin;
pub mod outbox;
pub mod presence;
pub mod protocol;
pub mod registry;
pub mod relay;
pub mod server;
pub mod session;
pub mod subscriber;
pub mod tickets;
pub mod token;
pub mod upgrade;
