//! The hub on a real Redis, with real WebSocket clients. Every test has a Redis of its own.

// clippy.toml allows this in `#[test]` functions; the harness around them fails the same way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod delivery;
mod drain;
mod events;
mod handshake;
mod outage;
mod presence;
mod process;
mod relay;
mod resume;
mod rfc6455;
mod session;
mod support;
