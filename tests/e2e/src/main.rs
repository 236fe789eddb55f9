//! End-to-end tests: real Redis, real components, a record and servers of their own per test.
//!
//! Every answer of the functions is checked by the client as well (`support::http`): headers,
//! `Content-Length`, problem+json, codes. Every Redis is checked at its end for keys that would
//! stay for ever (`support::redis_server`).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "how a test fails")]

mod auth;
mod cache;
mod cache_engine;
mod cache_model;
mod campaigns;
mod conformance;
mod cors;
mod create;
mod database;
mod erased;
mod expiry;
mod feed;
mod foreign;
mod fuzz;
mod imports;
mod limits;
mod load;
mod lost_feed;
mod model;
mod neighbour;
mod openapi;
mod ops;
mod order;
mod outage;
mod presence;
mod queues;
mod readiness;
mod record;
mod records;
mod recovery;
mod refused;
mod relay;
mod requests;
mod routes;
mod shutdown;
mod sockets;
mod tokens;
mod without_sqlite;
