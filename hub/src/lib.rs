//! The hub: holds browsers' WebSockets and event streams, and relays the Redis channel
//! `notifications` to exactly the right ones. In the order data flows:
//!
//! - a connection: [`server`] → [`door`] ([`head`]) → [`open`] ([`handshake`]) → [`socket`]
//!   ([`inbound`]) → [`member`]; anything that is no socket: [`http`]; its end: [`linger`]
//! - a message: [`subscription`] ([`resp`]) → [`subscriber`] ([`backlog`]) → [`registry`] ([`user`],
//!   [`order`]) → [`connection`] ([`outbox`], [`queued`], [`frame`])
//! - what was missed: [`catchup`] ([`feed`]) → [`registry`] ([`resume`])
//! - time: [`wheel`] → [`pulse`]
//! - who may come in: [`admission`] ([`bucket`], [`forwarded`]), [`tickets`], [`origin`]; who may not:
//!   [`reason`] → [`refusals`]
//! - outwards: [`presence`] ([`round`], [`incarnation`]), [`relay`], [`metrics`], [`permissions`]
//! - what it runs with: [`cli`] → [`config`]
//!
//! It has no database and decides nothing about notifications; it writes to Redis only who is
//! online, tickets, and probes of its subscription.

pub mod admission;
pub mod allowance;
pub mod auth;
pub mod backlog;
pub mod backoff;
pub mod bucket;
pub mod catchup;
pub mod cli;
pub mod commands;
pub mod config;
pub mod connection;
pub mod door;
pub mod feed;
pub mod forwarded;
pub mod frame;
pub mod handshake;
pub mod head;
pub mod health;
pub mod held;
pub mod http;
pub mod inbound;
pub mod incarnation;
pub mod limits;
pub mod linger;
pub mod logging;
pub mod member;
pub mod metrics;
pub mod open;
pub mod open_files;
pub mod order;
pub mod origin;
pub mod outbox;
pub mod permissions;
pub mod presence;
pub mod protocol;
pub mod pulse;
pub mod queued;
pub mod reason;
pub mod refusals;
pub mod registry;
pub mod relay;
pub mod resp;
pub mod resume;
pub mod round;
pub mod server;
pub mod socket;
pub mod subscriber;
pub mod subscription;
pub mod tickets;
pub mod token;
pub mod user;
pub mod wheel;
