//! Connections and credentials: everything that waits for a network or a file.

mod client;
mod connect;
mod connection;
mod credential_file;
mod dns;
mod host;
mod http2;
mod oauth;
mod tls;

pub(crate) use client::{Client, Failure, Received};
pub(crate) use credential_file::{CredentialFile, FileError};
pub(crate) use dns::Filter;
pub(crate) use oauth::{OAuth, OAuthError, ServiceAccount};
pub use tls::Roots;
