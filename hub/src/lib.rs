//! The hub: holds browsers' WebSockets and relays the Redis channel `notifications` to exactly the
//! right ones. In the order data flows:
//!
//! - a connection: [`server`] → [`door`] ([`head`]) → [`open`] ([`handshake`]) → [`socket`]
//!   ([`inbound`]) → [`member`]; anything that is no socket: [`http`]
//! - a message: [`subscriber`] → [`registry`] ([`user`], [`order`]) → [`connection`] ([`outbox`],
//!   [`frame`])
//! - what was missed: [`catchup`] ([`feed`]) → [`registry`] ([`resume`])
//! - time: [`wheel`] → [`pulse`]
//! - outwards: [`presence`], [`relay`]
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
pub mod connection;
pub mod door;
pub mod feed;
pub mod frame;
pub mod handshake;
pub mod head;
pub mod health;
pub mod held;
pub mod http;
pub mod inbound;
pub mod limits;
pub mod logging;
pub mod member;
pub mod open;
pub mod order;
pub mod outbox;
pub mod presence;
pub mod protocol;
pub mod pulse;
pub mod registry;
pub mod relay;
pub mod resume;
pub mod server;
pub mod socket;
pub mod subscriber;
pub mod token;
pub mod user;
pub mod wheel;
