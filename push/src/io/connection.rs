//! One connection: HTTP/2, or HTTP/1.1 where a push service has nothing better.

use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::dns::{self, Filter};
use crate::limits::{
    IDLE_MAX, PING_DEADLINE, PING_INTERVAL, SETTINGS_LOOK_EVERY, SETTINGS_LOOKS, STREAMS_MAX,
    TIMEOUTS_MAX,
};
use crate::origin::{Origin, Scheme};

pub(super) type Body = Full<Bytes>;

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

/// A request that got no answer.
pub(super) enum SendError {
    /// It was not processed: it can be sent again at once, on another connection.
    NotSent(Box<Request<Body>>),
    /// The service may have processed it.
    Broken,
    /// It was not processed, and hyper kept it.
    Refused,
}

enum Sender {
    Http2 {
        sender: http2::SendRequest<Body>,
        /// Requests that the server takes at once, as it said last.
        streams: watch::Receiver<usize>,
    },
    /// One request at a time.
    Http1(Box<Mutex<Option<http1::SendRequest<Body>>>>),
}

pub(super) struct Connection {
    sender: Sender,
    in_flight: AtomicUsize,
    timeouts: AtomicUsize,
    /// Takes no new requests; those in flight go on.
    is_retired: AtomicBool,
    used: Mutex<Instant>,
}

impl Connection {
    /// Connects. `freed` is told when the server takes more requests.
    pub(super) async fn open(
        origin: &Origin,
        filter: Filter,
        tls: &Arc<ClientConfig>,
        freed: &Arc<Notify>,
    ) -> Result<Self, ConnectError> {
        let found = dns::resolve(origin.name(), origin.port(), filter).await;
        let addresses = found.map_err(|_| ConnectError::Dns)?;
        if addresses.is_empty() {
            return Err(ConnectError::Address);
        }
        let stream = connect(&addresses).await.ok_or(ConnectError::Tcp)?;
        // Small requests, each written at once: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        if origin.scheme() == Scheme::Http {
            return Self::http1(stream).await;
        }
        let name = ServerName::try_from(origin.name().to_owned()).map_err(|_| ConnectError::Tls)?;
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
        let stream = stream.map_err(|error| {
            tracing::debug!(%origin, %error, "TLS failed");
            ConnectError::Tls
        })?;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Self::http2(stream, freed.clone()).await,
            _ => Self::http1(stream).await,
        }
    }

    async fn http2(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        freed: Arc<Notify>,
    ) -> Result<Self, ConnectError> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_DEADLINE)
            .initial_max_send_streams(UNKNOWN_STREAMS);
        let (sender, mut task) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|_| ConnectError::Http)?;
        // The server's first frame has its limit, and requests beyond it would be refused. hyper reads
        // it in a task of its own and tells nobody.
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
        Ok(Self::new(Sender::Http2 { sender, streams }))
    }

    async fn http1(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, ConnectError> {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, task) = handshake.map_err(|_| ConnectError::Http)?;
        tokio::spawn(async move {
            if let Err(error) = task.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        Ok(Self::new(Sender::Http1(Box::new(Mutex::new(Some(sender))))))
    }

    fn new(sender: Sender) -> Self {
        Self {
            sender,
            in_flight: AtomicUsize::new(0),
            timeouts: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        if self.is_retired.load(Relaxed) {
            return false;
        }
        let is_idle = self.in_flight() == 0;
        let is_closed = match &self.sender {
            Sender::Http2 { sender, .. } => sender.is_closed(),
            // Taken while a request is in flight.
            Sender::Http1(sender) => {
                is_idle && sender.lock().as_ref().is_none_or(http1::SendRequest::is_closed)
            }
        };
        let is_stale = is_idle && self.used.lock().elapsed() > IDLE_MAX;
        !is_closed && !is_stale
    }

    pub(super) fn retire(&self) {
        self.is_retired.store(true, Relaxed);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Requests that the server takes at once. Changes when the server says so.
    pub(super) fn capacity(&self) -> usize {
        match &self.sender {
            Sender::Http2 { streams, .. } => (*streams.borrow()).min(STREAMS_MAX),
            Sender::Http1(_) => 1,
        }
    }

    /// Counts a request in, if there is room for it.
    pub(super) fn enter(&self) -> bool {
        let capacity = self.capacity();
        let room = |n: usize| (n < capacity).then_some(n + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, room).is_ok()
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
        *self.used.lock() = Instant::now();
    }

    /// An answer came, or none in time.
    pub(super) fn answered(&self, in_time: bool) {
        if in_time {
            self.timeouts.store(0, Relaxed);
        } else if self.timeouts.fetch_add(1, Relaxed) + 1 >= TIMEOUTS_MAX {
            self.retire();
        }
    }

    /// Sends a request with an absolute URI. Only after [`Connection::enter`].
    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, SendError> {
        match &self.sender {
            Sender::Http2 { sender, .. } => {
                let sent = sender.clone().try_send_request(request).await;
                sent.map_err(|error| self.failed(error))
            }
            Sender::Http1(slot) => {
                let taken = slot.lock().take();
                let Some(mut sender) = taken else {
                    return Err(SendError::NotSent(Box::new(request)));
                };
                if sender.ready().await.is_err() {
                    self.retire();
                    return Err(SendError::NotSent(Box::new(request)));
                }
                let sent = sender.try_send_request(origin_form(request)).await;
                let response = sent.map_err(|error| self.failed(error))?;
                *slot.lock() = Some(sender);
                Ok(response)
            }
        }
    }

    fn failed(&self, mut error: TrySendError<Request<Body>>) -> SendError {
        if let Some(request) = error.take_message() {
            self.retire();
            return SendError::NotSent(Box::new(request));
        }
        let error = error.into_error();
        let reset = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<h2::Error>());
        // A server that goes away names the last stream that it processes. h2 fails the later ones
        // with the GOAWAY itself, and those alone.
        let is_refused = reset.is_some_and(|error| {
            error.is_remote()
                && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        });
        // One stream that was reset says nothing about the connection.
        if !reset.is_some_and(h2::Error::is_reset) {
            self.retire();
        }
        if is_refused { SendError::Refused } else { SendError::Broken }
    }
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

/// HTTP/1.1 has the host in a header and only the path in the first line.
fn origin_form(mut request: Request<Body>) -> Request<Body> {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(&host).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request
}
