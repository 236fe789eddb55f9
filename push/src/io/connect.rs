//! Opening a connection: addresses, TCP, TLS, the handshake of HTTP/2 or HTTP/1.1, and the task that
//! drives it. What happens on an open connection is in `connection`.

use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::dns::{self, Filter};
use crate::limits::{PING_DEADLINE, PING_INTERVAL, SETTINGS_LOOK_EVERY, SETTINGS_LOOKS};
use crate::origin::{Origin, Scheme};

/// Until the server has said how many; it differs from everything that a server can say.
const UNKNOWN_STREAMS: usize = usize::MAX - 1;

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
    #[error("connecting failed a moment ago")]
    Backoff,
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
            ConnectError::Backoff => "unreachable",
        }
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
        Some(b"h2") => http2(stream, freed.clone()).await,
        _ => http1(stream).await,
    }
}

async fn http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    freed: Arc<Notify>,
) -> Result<Connection, ConnectError> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_DEADLINE)
        .initial_max_send_streams(UNKNOWN_STREAMS);
    let (sender, mut task) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|_| ConnectError::Http)?;
    // The server's first frame has its limit, and requests beyond it would be refused. hyper reads it
    // in a task of its own and tells nobody.
    let mut looks = 0;
    while task.current_max_send_streams() == UNKNOWN_STREAMS && looks < SETTINGS_LOOKS {
        let polled = poll_fn(|context| Poll::Ready(Pin::new(&mut task).poll(context))).await;
        if polled.is_ready() {
            return Err(ConnectError::Http);
        }
        sleep(SETTINGS_LOOK_EVERY).await;
        looks += 1;
    }
    let (says, streams) = watch::channel(task.current_max_send_streams());
    tokio::spawn(async move {
        // Polled with every request, which is soon enough to see that the limit was raised.
        let ended = poll_fn(|context| {
            let polled = Pin::new(&mut task).poll(context);
            let now = task.current_max_send_streams();
            if says.send_if_modified(|said| std::mem::replace(said, now) != now) {
                freed.notify_one();
            }
            polled
        });
        if let Err(error) = ended.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(Connection::http2(sender, streams))
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
