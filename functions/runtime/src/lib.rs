//! The library that every component is built on. [`spin`] is the only module that calls `spin_sdk`;
//! components contain routes and decisions.
//!
//! There is no router by design: a component's `routes.rs` is one `match` over the segments of the
//! path, so that it reads as its table of contents. Around it, [`entry::serve`] does the same for
//! every component: request ids, CORS, problem+json, `Content-Length`, logging.

pub mod app;
pub mod cache;
pub mod entry;
pub mod feed;
pub mod http;
pub mod log;
pub mod ports;
pub mod push_tokens;
pub mod queue_depth;
pub mod record;
pub mod spin;

pub use app::{App, Instance, RecordApp};
pub use http::{Method, Request, Response};
pub use shared::{Code, Error};
pub use spin_sdk::wasip3;
