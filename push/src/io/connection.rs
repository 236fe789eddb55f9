//! One open connection: HTTP/2, or HTTP/1.1 where a push service has nothing better. `connect` opens
//! it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use parking_lot::Mutex;

use super::http2::{self, Http2, Http2Error};
use crate::limits::{ANSWER_BYTES_MAX, IDLE_MAX, STREAMS_MAX, TIMEOUTS_MAX};

/// A request that got no answer.
pub(super) enum SendError {
    /// It was not processed: it can be sent again at once, on another connection.
    NotSent(Box<Request<Bytes>>),
    /// The service may have processed it.
    Broken,
    /// It was not processed, and is not kept.
    Refused,
}

enum Sender {
    Http2(Http2),
    /// One request at a time.
    Http1(Box<Mutex<Option<http1::SendRequest<Full<Bytes>>>>>),
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
    pub(super) fn http2(http2: Http2) -> Self {
        Self::new(Sender::Http2(http2))
    }

    pub(super) fn http1(sender: http1::SendRequest<Full<Bytes>>) -> Self {
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
            Sender::Http2(http2) => http2.is_closed(),
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
            Sender::Http2(http2) => http2.streams().min(STREAMS_MAX),
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

    /// Sends a request with an absolute URI, and reads the answer to its end; a body that is cut
    /// off or too long is empty. Only after [`Connection::enter`].
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
        match &self.sender {
            Sender::Http2(http2) => http2.send(request).await.map_err(|error| match error {
                Http2Error::NotSent(request) => {
                    self.retire();
                    SendError::NotSent(request)
                }
                Http2Error::Failed(error) => {
                    let (failure, goes_on) = http2::judge(&error);
                    if !goes_on {
                        self.retire();
                    }
                    failure
                }
            }),
            Sender::Http1(slot) => self.send_http1(slot, request).await,
        }
    }

    async fn send_http1(
        &self,
        slot: &Mutex<Option<http1::SendRequest<Full<Bytes>>>>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, SendError> {
        let taken = slot.lock().take();
        let Some(mut sender) = taken else {
            return Err(SendError::NotSent(Box::new(request)));
        };
        if sender.ready().await.is_err() {
            self.retire();
            return Err(SendError::NotSent(Box::new(request)));
        }
        let body = request.body().clone();
        let sent = sender.try_send_request(origin_form(request.map(Full::new))).await;
        let response = sent.map_err(|mut error| {
            self.retire();
            match error.take_message() {
                Some(request) => SendError::NotSent(Box::new(request.map(|_| body))),
                None => SendError::Broken,
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        *slot.lock() = Some(sender);
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Response::from_parts(head, body))
    }
}

/// HTTP/1.1 has the host in a header and only the path in the first line.
fn origin_form(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(&host).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request
}
