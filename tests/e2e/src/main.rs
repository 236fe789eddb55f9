//! End-to-end tests: real Redis, real components, a record and servers of their own per test.
//!
//! | folder | |
//! |---|---|
//! | `api` | the functions' routes, and the hub's sockets behind them: requests and answers |
//! | `coexistence` | other services on the same keys and channels |
//! | `faults` | Redis, the record, the functions or the network fail; nothing is lost or doubled |
//! | `cluster` | the functions on a Redis Cluster and behind Sentinel, while it changes |
//! | `models` | the mechanisms of `runtime` natively, in random order, against models |
//! | `documents` | the documents against the code, and their snippets run |
//! | `pushing` | the push worker, while Redis, the record or the functions fail |
//! | `proxies` | hub and functions behind nginx, Caddy and HAProxy |
//! | `build` | properties of the built components |
//!
//! The HTTP client checks every answer of the functions (`support::http`): headers,
//! `Content-Length`, problem+json, codes, the schema of the body. Every Redis fails its test when
//! it ends with a key that never expires (`support::redis_server`).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "how a test fails")]

mod api;
mod build;
mod cluster;
mod coexistence;
mod documents;
mod faults;
mod models;
mod proxies;
mod pushing;
