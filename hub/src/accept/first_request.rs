//! Accepts connections and reads one request from each. A WebSocket or event-stream request takes
//! the connection over as it is; the router answers any other request over HTTP, and the connection
//! is closed.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::ORIGIN;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use native::http::RequestId;
use native::http::problem::answer;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, join};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::ConnectionPermit;
use crate::http::refusal_reason::Reason;
use crate::http::request_head::{self, RequestHead, RequestHeadError};
use crate::limits::{
    CLOSE_DEADLINE, CLOSE_DRAIN_BYTES_MAX, HEADER_BYTES_MAX, HEADER_DEADLINE, PINGS_UNANSWERED_MAX,
    REQUEST_DEADLINE, TURNED_AWAY_DRAIN_BYTES_MAX, TURNED_AWAY_MAX,
};
use crate::session::state::App;
use crate::session::upgrade::{self, Rejected, Visitor, refusal};
use crate::socket::linger;

/// Reads the first request of each connection; see the module.
#[derive(Clone)]
pub(crate) struct Acceptor {
    app: Arc<App>,
    router: Router,
    /// Cancelled when the hub shuts down.
    closing: CancellationToken,
    /// Limits the connections that are rejected with an answer.
    turned_away: Arc<Semaphore>,
}

impl Acceptor {
    pub(crate) fn new(app: Arc<App>, router: Router, closing: CancellationToken) -> Self {
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
        Self { app, router, closing, turned_away }
    }

    /// Handles an accepted connection in a task of its own.
    pub(crate) fn accepted(self, stream: TcpStream, peer: IpAddr, connections: &TaskTracker) {
        self.app.metrics.connected();
        match self.app.admission.connection(peer) {
            Ok(permit) => drop(connections.spawn(self.serve(stream, peer, permit))),
            Err(refused) => {
                let id = RequestId::random();
                self.app.refusals.refused(&refused, None, &id);
                // Without a free slot, the connection is dropped: an answer takes time and a file
                // descriptor.
                if let Ok(slot) = self.turned_away.clone().try_acquire_owned() {
                    connections.spawn(async move {
                        let answer = refusal(&refused.error, &id, None);
                        send_last(stream, &answer, TURNED_AWAY_DRAIN_BYTES_MAX).await;
                        drop(slot);
                    });
                }
            }
        }
    }

    /// Answers the connection's one request, or turns the connection into a socket.
    async fn serve(self, mut stream: TcpStream, peer: IpAddr, permit: ConnectionPermit) {
        // Otherwise a small frame would wait until the peer acknowledges the previous one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        if let Err(error) = self.set_user_timeout(&stream) {
            tracing::debug!(%error, "cannot set TCP_USER_TIMEOUT");
        }
        let reading = timeout(HEADER_DEADLINE, request_head::read(&mut stream));
        let read = tokio::select! {
            read = reading => read,
            () = self.closing.cancelled() => return,
        };
        let (mut bytes, end) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(error @ RequestHeadError::TooLarge)) => {
                self.app.refusals.without_request(Reason::HeadTooLarge, &error.to_string());
                return send_last(stream, HEAD_TOO_LARGE, CLOSE_DRAIN_BYTES_MAX).await;
            }
            Ok(Err(error)) => return tracing::debug!(%error, "no request on a connection"),
            Err(_) => {
                let detail = "no request came in time";
                return self.app.refusals.without_request(Reason::HeadTimeout, detail);
            }
        };
        let head = bytes.get(..end).and_then(RequestHead::parse);
        let id = RequestId::random();
        if let Some(head) = head
            && let Some(transport) = upgrade::transport(&head)
        {
            let early = bytes.split_off(end);
            drop(bytes);
            // Boxed, as the other future is: a task that has become a socket ends here.
            let visitor = Visitor { stream, peer, permit };
            let opening = Box::pin(upgrade::open(&self.app, transport, &head, &id, visitor, early));
            if let Err(Rejected { stream, permit, refused }) = opening.await {
                self.app.refusals.refused(&refused, head.headers.get(ORIGIN), &id);
                let request = Some((&*self.app.config, &head.headers));
                let answer = refusal(&refused.error, &id, request);
                drop(head);
                send_last(stream, &answer, CLOSE_DRAIN_BYTES_MAX).await;
                drop(permit);
            }
            return;
        }
        Box::pin(self.answer(stream, bytes, id)).await;
        drop(permit);
    }

    /// Has the kernel close a connection whose peer acknowledges nothing for this long. By itself
    /// it retransmits for 15 minutes, or for ever if the peer's TCP window is closed. An event
    /// stream, whose reader cannot answer pings, would keep its user online all that time.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_user_timeout(&self, stream: &TcpStream) -> std::io::Result<()> {
        let limit = self.app.config.pace.ping_interval * (PINGS_UNANSWERED_MAX + 1);
        SockRef::from(stream).set_tcp_user_timeout(Some(limit))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn set_user_timeout(&self, _: &TcpStream) -> std::io::Result<()> {
        Ok(())
    }

    /// Passes the connection to the HTTP server, which first gets the bytes already read.
    async fn answer(self, mut stream: TcpStream, read: Vec<u8>, id: RequestId) {
        let (reader, writer) = stream.split();
        let connection = TokioIo::new(join(Cursor::new(read).chain(reader), writer));
        let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
            let answer = answer(self.router.clone(), id, request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut server = http1::Builder::new();
        // One request per connection: a later one could ask for a socket, which this server cannot
        // open.
        server.keep_alive(false);
        server.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
        server.max_buf_size(HEADER_BYTES_MAX);
        match timeout(REQUEST_DEADLINE, server.serve_connection(connection, service)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_parse() => {
                let is_too_large = error.is_parse_too_large();
                let reason =
                    if is_too_large { Reason::HeadTooLarge } else { Reason::HeadMalformed };
                self.app.refusals.without_request(reason, &error.to_string());
            }
            Ok(Err(error)) => tracing::debug!(%error, "connection failed"),
            Err(_) => return tracing::debug!("request timed out"),
        }
        // The answer may have been sent before the request ended.
        tokio::select! {
            () = hang_up(&stream, CLOSE_DRAIN_BYTES_MAX) => {}
            () = self.closing.cancelled() => {}
        }
    }
}

/// The answer to a request whose head is too large (RFC 6585 §5).
const HEAD_TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\
                                content-length: 0\r\nconnection: close\r\n\r\n";

/// Writes the last bytes of a connection and waits until the peer has read them.
async fn send_last(mut stream: TcpStream, bytes: &[u8], drain_bytes_max: usize) {
    let saying = async {
        if stream.write_all(bytes).await.is_ok() {
            linger::hang_up(&stream, drain_bytes_max).await;
        }
    };
    let _ = timeout(CLOSE_DEADLINE, saying).await;
}

async fn hang_up(stream: &TcpStream, drain_bytes_max: usize) {
    let _ = timeout(CLOSE_DEADLINE, linger::hang_up(stream, drain_bytes_max)).await;
}
