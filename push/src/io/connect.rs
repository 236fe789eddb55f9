//! Opening a connection: addresses, TCP, TLS, and HTTP/2 or HTTP/1.1. What happens on an open
//! connection is in `connection`.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::dns::{self, Filter};
use super::http2::Http2;
use crate::origin::{Origin, Scheme};

/// Why there is no connection. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the name has no address")]
    Dns,
    #[error("the name has no allowed address")]
    Address,
    #[error("cannot connect")]
    Tcp,
    #[error("TLS failed")]
    Tls,
    #[error("HTTP failed")]
    Http,
    #[error("connecting took too long")]
    Late,
}

impl ConnectError {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            ConnectError::Dns => "dns_failed",
            ConnectError::Address => "address_not_allowed",
            ConnectError::Tcp => "connect_failed",
            ConnectError::Tls => "tls_failed",
            ConnectError::Http => "http_failed",
            ConnectError::Late => "connect_timeout",
        }
    }

    /// Whether it is the name that leads nowhere, rather than its host.
    pub(crate) fn is_about_name(self) -> bool {
        matches!(self, ConnectError::Dns | ConnectError::Address)
    }
}

/// Connects. `freed` is told when the server takes more requests.
pub(super) async fn open(
    origin: &Origin,
    filter: Filter,
    tls: &Arc<ClientConfig>,
    freed: &Arc<Notify>,
) -> Result<Connection, ConnectError> {
    let found = dns::resolve(origin.name(), origin.port(), filter).await;
    let addresses = found.map_err(|_| ConnectError::Dns)?;
    if addresses.is_empty() {
        return Err(ConnectError::Address);
    }
    let stream = connect(&addresses).await.ok_or(ConnectError::Tcp)?;
    // Small requests, each written at once: waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    if origin.scheme() == Scheme::Http {
        return http1(stream).await;
    }
    let name = ServerName::try_from(origin.name().to_owned()).map_err(|_| ConnectError::Tls)?;
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
    let stream = stream.map_err(|error| {
        tracing::debug!(%origin, %error, "TLS failed");
        ConnectError::Tls
    })?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Http2::open(stream, freed.clone()).await.map(Connection::http2),
        _ => http1(stream).await,
    }
}

async fn http1(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Connection, ConnectError> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, task) = handshake.map_err(|_| ConnectError::Http)?;
    tokio::spawn(async move {
        if let Err(error) = task.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(Connection::http1(sender))
}

/// The first address that answers.
async fn connect(addresses: &[SocketAddr]) -> Option<TcpStream> {
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Some(stream),
            Err(error) => tracing::debug!(%address, %error, "cannot connect"),
        }
    }
    None
}
