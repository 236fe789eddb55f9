//! Everything that calls the host: the only modules that name `spin_sdk`.

pub mod background;
pub mod body;
pub mod cache_host;
pub mod clock;
pub mod deadline;
pub mod origin;
pub mod postgres;
pub mod redis;
mod rows;
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod variables;
pub mod wasi_http;
