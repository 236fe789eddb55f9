//! One open connection: HTTP/2, or HTTP/1.1 where a push service has nothing better. `connect` opens
//! it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::limits::{IDLE_MAX, STREAMS_MAX, TIMEOUTS_MAX};

pub(super) type Body = Full<Bytes>;

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
    /// `streams`: the requests that the server takes at once, as it said last.
    pub(super) fn http2(sender: http2::SendRequest<Body>, streams: watch::Receiver<usize>) -> Self {
        Self::new(Sender::Http2 { sender, streams })
    }

    pub(super) fn http1(sender: http1::SendRequest<Body>) -> Self {
        Self::new(Sender::Http1(Box::new(Mutex::new(Some(sender)))))
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
