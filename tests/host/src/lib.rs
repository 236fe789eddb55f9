//! A small host for `spin.toml` applications of WASI 0.3 HTTP components, so that a machine
//! without the Spin CLI can run and test everything.
//!
//! It copies Spin 4.1's behaviour, never a kinder one: what works here works there. What it lacks
//! it refuses by name at the start. One thing Spin does not do: it bounds how many requests are served
//! at a time (`turns`). Not for production.

pub mod allowed_hosts;
pub mod app;
mod bindings;
pub mod cli;
mod engine;
pub mod expressions;
mod files;
pub mod manifest;
mod outbound_http;
mod postgres;
mod redis;
mod request;
pub mod router;
mod rows;
mod runtime_config;
mod seed;
mod server;
mod sqlite;
mod state;
mod stdio;
mod turns;
pub mod variables;
mod worker;
