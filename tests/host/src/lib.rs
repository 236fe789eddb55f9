//! A small host for `spin.toml` applications of WASI 0.3 HTTP components, for running and testing
//! everything on a machine without the Spin CLI.
//!
//! It copies Spin 4.1's behaviour and is never more permissive: an application that works here
//! works there. At the start it rejects unsupported features by name. Unlike Spin, it limits the
//! number of concurrent requests (`turns`), and answers those in flight when it ends (`server`). Not
//! for production.

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

pub use worker::process_ends;
