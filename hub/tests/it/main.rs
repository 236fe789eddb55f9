//! The hub on a real Redis, with real WebSocket clients. Every test has a Redis of its own.
//!
//! | folder | |
//! |---|---|
//! | `sessions` | handshakes: tokens, tickets, limits, rejections; a session's events |
//! | `sockets` | RFC 6455, event streams, closing, peers whose link is down |
//! | `cluster` | a Redis Cluster and Sentinel: redirections, failovers |
//! | `delivery` | order, resume, outages of Redis, calls of the relay |
//! | `own` | users' own channels, on one Redis and on a cluster; the bridge |
//! | `pages` | the browser client's files, and the demo page |
//! | `presence` | the online users, also after faults |
//! | `console` | the console: who may read it, what it shows, viewers who come, lag and leave |
//! | `process` | the program: command line, signals, `/metrics`, drain, the rooms of its code |
//! | `support` | a hub in this process, and clients down to bytes |

// clippy.toml allows this in `#[test]` functions; the harness around them fails the same way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod cluster;
mod console;
mod delivery;
mod own;
mod pages;
mod presence;
mod process;
mod sessions;
mod sockets;
mod support;
