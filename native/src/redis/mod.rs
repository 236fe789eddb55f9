//! Where Redis is, and commands to it: one server, a Redis Cluster, or Sentinel's master.
//!
//! [`Topology`] is the map from keys to servers, as far as it is known. `connection` is the one to a
//! single server, `servers` are those to all masters. [`Commands`] sends: to `one` server, or by
//! `routing`; a `step` is sent as a whole, and again after a `refusal`. `map_reader` asks for the map.

mod commands;
mod connection;
mod map_reader;
mod one;
mod refusal;
mod routing;
mod servers;
mod step;
mod target;
mod topology;

pub use commands::Commands;
pub use connection::{Master, Watch, is_away};
pub use target::RedisTarget;
pub use topology::Topology;
