//! The hub on a real Redis, with real WebSocket clients. Every test has a Redis of its own.

// clippy.toml allows this in `#[test]` functions; the harness around them fails the same way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod admission;
mod closing;
mod delivery;
mod drain;
mod events;
mod faults;
mod half_open;
mod handshake;
mod herd;
mod hostile;
mod metrics;
mod odd;
mod outage;
mod permissions;
mod presence;
mod presence_faults;
mod presence_fleet;
mod presence_model;
mod probe;
mod process;
mod refusals;
mod relay;
mod resume;
mod rfc6455;
mod rooms;
mod session;
mod support;
mod tickets;
