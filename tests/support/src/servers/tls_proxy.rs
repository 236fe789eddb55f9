//! A proxy that ends TLS, as one stands in front of hub and functions in production, and a tunnel for
//! clients of the tests that have no TLS of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::servers::certificate::Certificate;

/// Forwards what it decrypts to a server without TLS. Ends with the test's runtime.
pub struct TlsProxy {
    address: SocketAddr,
}

impl TlsProxy {
    /// Listens on a free port and forwards to `server` (`host:port`).
    pub async fn to(server: &str, certificate: &Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, server) = (acceptor(certificate), server.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, acceptor.clone(), server.clone()));
            }
        });
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A connection of a client that trusts only the authority in the file.
    ///
    /// # Errors
    /// Such a client does not accept the certificate.
    pub async fn connect(&self, authority: &Path) -> std::io::Result<TlsStream<TcpStream>> {
        let connection = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::IpAddress(self.address.ip().into());
        connector(authority).connect(name, connection).await
    }
}

/// Forwards the connections of clients without TLS to a server with it. Ends with the test's runtime.
pub struct TlsTunnel {
    address: SocketAddr,
}

impl TlsTunnel {
    /// Listens on a free port; `server` sees connections from `client`.
    pub async fn to(server: SocketAddr, client: SocketAddr, authority: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connector = connector(authority);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, connector.clone(), server, client));
            }
        });
        Self { address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Until one side closes. A client whose server cannot be reached is disconnected.
async fn carry(
    mut near: TcpStream,
    connector: TlsConnector,
    server: SocketAddr,
    client: SocketAddr,
) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(client)?;
    let far = socket.connect(server).await?;
    let name = ServerName::IpAddress(server.ip().into());
    let mut far = connector.connect(name, far).await?;
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// Of clients that trust only the authority in the file.
fn connector(authority: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let key = PrivatePkcs8KeyDer::from(certificate.key.clone()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.der.clone())], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Until one side closes; a client that does not complete the handshake is none.
async fn forward(client: TcpStream, acceptor: TlsAcceptor, server: String) {
    let Ok(mut client) = acceptor.accept(client).await else { return };
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
