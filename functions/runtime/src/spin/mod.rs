//! All calls to the host: the only modules that name `spin_sdk`.

pub mod background;
pub(crate) mod body;
pub mod cache_host;
pub mod clock;
pub mod deadline;
pub mod origin;
mod postgres;
pub mod redis;
mod rows;
pub mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod variables;
pub(crate) mod wasi_http;
