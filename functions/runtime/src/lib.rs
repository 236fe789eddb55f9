//! The library that every component is built on. [`spin`] is the only module that calls `spin_sdk`;
//! components contain routes and decisions.
//!
//! A component is one async function that takes [`App`] or [`RecordApp`], and a [`Request`], and
//! returns a [`Response`] or an [`Error`]. [`component!`] exports it:
//!
//! ```
//! use runtime::ports::redis::{Arg, Redis as _, Reply};
//! use runtime::{App, Error, Method, Request, Response};
//!
//! runtime::component!(route);
//!
//! async fn route(app: &App, request: &Request) -> Result<Response, Error> {
//!     match (request.path().as_slice(), request.method) {
//!         (["visits", page], Method::Post) => count(app, page).await,
//!         (["visits", _], _) => Err(Error::method_not_allowed("POST")),
//!         _ => Err(Error::not_found("this path")),
//!     }
//! }
//!
//! /// Counts a visit. The count expires an hour after the last visit.
//! async fn count(app: &App, page: &str) -> Result<Response, Error> {
//!     let key = format!("visits:{page}");
//!     let visits = app.redis.command("INCR", &[Arg::Text(&key)]).await?;
//!     app.redis.command("EXPIRE", &[Arg::Text(&key), Arg::Int(3600)]).await?;
//!     let visits = visits.first().and_then(Reply::int).unwrap_or(0);
//!     Ok(Response::json(200, format!(r#"{{"visits":{visits}}}"#)))
//! }
//! # fn main() {}
//! ```
//!
//! There is no router by design: a component's `routes.rs` is one `match` over the segments of the
//! path, so that it reads as its table of contents. Around it, [`entry::serve`] does the same for
//! every component: request ids, CORS, problem+json, `Content-Length`, logging.

#![deny(missing_docs)]

#[cfg(feature = "count-allocations")]
mod allocations;
pub mod app;
pub mod cache;
pub mod devices;
pub mod entry;
pub mod feed;
pub mod http;
mod identity;
pub mod log;
mod many_users;
pub mod ports;
pub mod push_tokens;
pub mod queue_depth;
pub mod record;
pub mod spin;

pub use app::{App, Instance, RecordApp};
pub use http::{Method, Request, Response};
pub use shared::{Code, Error};
#[doc(hidden)]
pub use spin_sdk::wasip3;
