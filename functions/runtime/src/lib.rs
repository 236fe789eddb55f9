//! What every component shares. This crate is the one place that touches `spin_sdk`: the
//! components hold routes and decisions only.
//!
//! There is no router by design: a component's `routes.rs` is one `match` over the segments of
//! the path, so that it reads as its table of contents. Around it, [`entry::serve`] does what is
//! the same everywhere: request ids, CORS, problem+json, `Content-Length`, logging.

pub mod app;
pub mod auth;
pub mod cache;
pub mod conditional;
pub mod config;
pub mod cors;
pub mod delivery;
pub mod entry;
pub mod http;
pub mod io;
pub mod log;
pub mod marks;
pub mod queue_depth;
pub mod record;
pub mod redis;
pub mod relay;
pub mod tokens;
pub mod unsent;
#[cfg(any(feature = "sqlite", test))]
mod write_lock;

pub use app::{App, Instance, RecordApp};
pub use http::{Method, Request, Response};
pub use shared::{Code, Error};
pub use spin_sdk::wasip3;
