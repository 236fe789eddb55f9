//! TLS for all services: the system's certificates, HTTP/2 first.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// Whose certificates are accepted.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    #[default]
    System,
    /// These certificates only, in DER: a private push service, or a test.
    Only(Vec<Vec<u8>>),
}

pub(super) fn config(roots: &Roots) -> io::Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err(io::Error::other("the system has no certificates"));
            }
        }
        Roots::Only(certificates) => {
            for der in certificates {
                store.add(CertificateDer::from(der.clone())).map_err(io::Error::other)?;
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
