//! Everything a test of the whole system needs: a Redis, a record, functions and hubs of its own
//! on free ports, a network that can be disturbed, and clients that show bytes as they came.
//!
//! What the benchmarks have in common is here, too: CPU time, medians, tables, peers in Node.
//!
//! Nothing here knows how the system works inside. Everything that a test starts ends with the
//! test, also when it panics. Whatever takes time is awaited with a deadline (see [`wait`]).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "how a test fails")]

pub mod api;
pub mod cpu;
pub mod events;
pub mod functions;
pub mod gateway;
pub mod http;
pub mod hub;
pub mod jwt;
pub mod node;
pub mod origin;
pub mod paths;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod published;
pub mod record;
pub mod redis_server;
pub mod schemathesis;
pub mod small_disk;
pub mod socket;
pub mod stats;
pub mod table;
pub mod wait;

pub use events::Events;
pub use functions::{Functions, Setup};
pub use gateway::Gateway;
pub use http::{Answer, Http};
pub use hub::Hub;
pub use jwt::{Jwt, token};
pub use origin::{Origin, Plan};
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use published::Published;
pub use record::Record;
pub use redis_server::RedisServer;
pub use schemathesis::Schemathesis;
pub use small_disk::SmallDisk;
pub use socket::Socket;
pub use wait::{eventually, eventually_within, within};
