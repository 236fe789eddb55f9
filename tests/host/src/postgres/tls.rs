//! TLS to Postgres, as in Spin: unless the connection string has `sslmode=disable`, the server is
//! asked for it, and its certificate must be of an authority that the system trusts, for the host
//! of the connection string.
//!
//! Spin uses OpenSSL. This host uses rustls with the same certificates: the system's, or those of
//! `SSL_CERT_FILE` and `SSL_CERT_DIR`. The texts of errors differ.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Reads the system's certificates.
///
/// # Errors
/// There is none, or one cannot be read.
pub(crate) fn connector() -> io::Result<MakeRustlsConnect> {
    let found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.into_iter().next() {
        return Err(io::Error::other(error));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
