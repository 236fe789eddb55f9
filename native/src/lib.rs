//! What the native programs share: the hub and the push worker. Nothing here knows of sockets,
//! feeds or pushes.
//!
//! - [`settings`]: flags, variables and a file, merged, with the source of each; [`logging`],
//!   [`secret`], [`base_url`]
//! - [`redis`]: where Redis is, and a connection for commands that never waits long
//! - [`functions`]: calls of the functions, with the token of a file ([`token_file`])
//! - [`identity`]: the keys that verify tokens, with those of an identity provider
//! - [`http`]: the form of answers; [`ops`]: `/metrics`, `/healthz`, `/readyz`; [`metrics`]: their
//!   values
//! - [`process`]: signals, listeners, the limit of open files, what the process uses
//! - [`backoff`], [`limits`]

#![warn(missing_docs)]

pub mod backoff;
pub mod base_url;
pub mod functions;
pub mod http;
mod http_client;
pub mod identity;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod ops;
pub mod process;
pub mod redis;
pub mod secret;
pub mod settings;
pub mod token_file;
