//! TLS of all connections: the system's certificates.

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, RootCertStore};

use crate::failure::{Failure, Outcome};

/// The configuration; without certificates unless they are `needed`, since reading them takes some
/// milliseconds.
///
/// # Errors
/// They cannot be read.
pub fn config(needed: bool) -> Outcome<ClientConfig> {
    let builder = ClientConfig::builder();
    if !needed {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let builder = builder.with_native_roots();
    let builder = builder.map_err(|error| {
        Failure::failed(format!("cannot read the system's certificates: {error}"))
    })?;
    Ok(builder.with_no_client_auth())
}
