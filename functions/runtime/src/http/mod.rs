//! Requests and responses for routes: plain data without streams or host handles.

pub mod auth;
pub mod cached;
pub mod conditional;
pub(crate) mod cors;
pub mod idempotency;
mod request;
mod response;

pub use request::{Body, Method, ReadBody, ReadingBody, Request, number};
pub(crate) use request::{header, header_list};
pub use response::Response;
