//! HTTP/2 on one connection, on `h2` itself. hyper's client would start a task and pass a channel
//! for each request, which is two fifths of a send's time, and does not tell the server's limit of
//! streams.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong, RecvStream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::connect::ConnectError;
use super::connection::SendError;
use crate::limits::{
    ANSWER_BYTES_MAX, ANSWER_HEADER_BYTES_MAX, PING_DEADLINE, PING_INTERVAL, SETTINGS_DEADLINE,
};

/// Until the server has said how many; it differs from everything that a server can say.
const UNKNOWN_STREAMS: usize = usize::MAX - 1;

/// What the connection's task tells.
struct Told {
    /// Requests that the server takes at once, as it said last.
    streams: AtomicUsize,
    /// It takes no new requests: it has ended, or the server goes away.
    is_closed: AtomicBool,
    /// Requests without an answer, which the task pings for.
    waiting: AtomicUsize,
}

pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    told: Arc<Told>,
    /// Dropped with this, which the connection's task is told by: h2 does not wake it.
    _open: oneshot::Sender<Infallible>,
}

type Connection<T> = h2::client::Connection<T, Bytes>;

impl Http2 {
    /// Shakes hands, and waits for the server's limit of streams: requests beyond it would be
    /// refused. `freed` is told when the server takes more.
    pub(super) async fn open<T>(stream: T, freed: Arc<Notify>) -> Result<Self, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handshake = Builder::new()
            .initial_max_send_streams(UNKNOWN_STREAMS)
            .max_header_list_size(ANSWER_HEADER_BYTES_MAX)
            .enable_push(false)
            .handshake::<T, Bytes>(stream)
            .await;
        let (sender, mut connection) = handshake.map_err(|_| ConnectError::Http)?;
        // The server's first frame has its limit.
        let first = poll_fn(|context| {
            let polled = Pin::new(&mut connection).poll(context);
            match connection.max_concurrent_send_streams() {
                _ if polled.is_ready() => Poll::Ready(Err(ConnectError::Http)),
                UNKNOWN_STREAMS => Poll::Pending,
                _ => Poll::Ready(Ok(())),
            }
        });
        // Without that frame, the connection goes on with what this side allows itself.
        timeout(SETTINGS_DEADLINE, first).await.unwrap_or(Ok(()))?;
        let told = Arc::new(Told {
            streams: AtomicUsize::new(connection.max_concurrent_send_streams()),
            is_closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        });
        let (open, closed) = oneshot::channel();
        let pings = connection.ping_pong().map(Pings::new);
        let probe = Some(sender.clone());
        let task = Task { connection, pings, probe, closed, told: told.clone(), freed };
        tokio::spawn(task.run());
        Ok(Self { sender, told, _open: open })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.told.is_closed.load(Relaxed)
    }

    pub(super) fn streams(&self) -> usize {
        self.told.streams.load(Relaxed)
    }

    /// Sends a request with an absolute URI, and reads the answer to its end.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Http2Error> {
        let Ok(mut sender) = self.sender.clone().ready().await else {
            return Err(Http2Error::NotSent(Box::new(request)));
        };
        let (mut head, body) = request.into_parts();
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let head = Request::from_parts(head, ());
        let _waiting = Waiting::new(&self.told.waiting);
        let (response, mut stream) = sender.send_request(head, body.is_empty())?;
        drop(sender);
        if !body.is_empty() {
            // A server that answers early may not want the rest; its answer says why.
            let _ = stream.send_data(body, true);
        }
        let (head, body) = response.await?.into_parts();
        Ok(Response::from_parts(head, read(body).await))
    }
}

pub(super) enum Http2Error {
    /// It was not processed.
    NotSent(Box<Request<Bytes>>),
    Failed(h2::Error),
}

impl From<h2::Error> for Http2Error {
    fn from(error: h2::Error) -> Self {
        Http2Error::Failed(error)
    }
}

/// What a failure means for the request, and whether the connection can go on.
pub(super) fn judge(error: &h2::Error) -> (SendError, bool) {
    // A server that goes away names the last stream that it processes. h2 fails the later ones with
    // the GOAWAY itself, and those alone.
    let is_refused = error.is_remote()
        && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM));
    let failure = if is_refused { SendError::Refused } else { SendError::Broken };
    // One stream that was reset says nothing about the connection.
    (failure, error.is_reset())
}

/// A body, or nothing of one that is cut off or too long.
async fn read(mut body: RecvStream) -> Bytes {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let Ok(chunk) = chunk else { return Bytes::new() };
        if first.len() + more.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Bytes::new();
        }
        let _ = body.flow_control().release_capacity(chunk.len());
        // Answers have one frame, as a rule.
        if first.is_empty() { first = chunk } else { more.extend_from_slice(&chunk) }
    }
    if more.is_empty() { first } else { [first, more.freeze()].concat().into() }
}

/// Counts a request while it waits for its answer.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Drives a connection.
struct Task<T> {
    connection: Connection<T>,
    pings: Option<Pings>,
    /// Shows that the server goes away. It keeps the connection open, so it goes with `closed`.
    probe: Option<SendRequest<Bytes>>,
    closed: oneshot::Receiver<Infallible>,
    told: Arc<Told>,
    freed: Arc<Notify>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Task<T> {
    async fn run(mut self) {
        let ended = poll_fn(|context| self.poll(context)).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
        self.told.is_closed.store(true, Relaxed);
        // Whoever waits for a place here finds another connection.
        self.freed.notify_waiters();
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let is_waiting = self.told.waiting.load(Relaxed) > 0;
        if self.pings.as_mut().is_some_and(|pings| pings.poll(context, is_waiting).is_ready()) {
            tracing::debug!("a connection does not answer pings");
            return Poll::Ready(Ok(()));
        }
        if self.probe.is_some() && Pin::new(&mut self.closed).poll(context).is_ready() {
            self.probe = None;
        }
        let polled = Pin::new(&mut self.connection).poll(context);
        let probed = self.probe.as_mut().map(|probe| probe.poll_ready(context));
        if matches!(probed, Some(Poll::Ready(Err(_)))) {
            self.probe = None;
            self.told.is_closed.store(true, Relaxed);
            self.freed.notify_waiters();
        }
        let streams = self.connection.max_concurrent_send_streams();
        if self.told.streams.swap(streams, Relaxed) != streams {
            self.freed.notify_one();
        }
        polled
    }
}

/// Finds out that a connection is dead while requests wait for their answers.
struct Pings {
    pings: PingPong,
    /// The next ping, or the deadline of one.
    next: Pin<Box<Sleep>>,
    is_sent: bool,
}

impl Pings {
    fn new(pings: PingPong) -> Self {
        Self { pings, next: Box::pin(sleep(PING_INTERVAL)), is_sent: false }
    }

    /// Ready when a ping has no answer in time.
    fn poll(&mut self, context: &mut Context<'_>, is_waiting: bool) -> Poll<()> {
        while self.next.as_mut().poll(context).is_ready() {
            if self.is_sent {
                return Poll::Ready(());
            }
            self.is_sent = is_waiting && self.pings.send_ping(Ping::opaque()).is_ok();
            let wait = if self.is_sent { PING_DEADLINE } else { PING_INTERVAL };
            self.next.as_mut().reset(Instant::now() + wait);
        }
        if self.is_sent && self.pings.poll_pong(context).is_ready() {
            self.is_sent = false;
            self.next.as_mut().reset(Instant::now() + PING_INTERVAL);
            // The new time is looked at once more, so that it wakes the task.
            let _ = self.next.as_mut().poll(context);
        }
        Poll::Pending
    }
}
