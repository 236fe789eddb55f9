//! One open connection, as all who have to do with it share it: frames go in from whoever delivers,
//! and to the kernel at once where it takes them; the connection's own task ([`crate::socket::task`])
//! reads, and writes on where the kernel had enough.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use shared::CloseCode;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::limits::SOCKET_WRITE_FRAMES_MAX;
use crate::metrics::Metrics;
use crate::protocol::Protocol;
use crate::socket::end::End;
use crate::socket::keepalive::{Beat, Keepalive};
use crate::socket::outbox::{Batch, Outbox, Pushed, Turn};
use crate::socket::total_queued::TotalQueued;

/// See the module. Dropped, it closes the connection.
#[derive(Debug)]
pub struct Connection {
    /// Number of the socket, for the log.
    pub(crate) id: u64,
    pub(crate) protocol: Protocol,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stream: TcpStream,
    outbox: Outbox,
    /// The connection's task.
    task: AtomicWaker,
    // A plain lock: held to look at a few numbers.
    keepalive: Mutex<Keepalive>,
    /// The tick at which the wheel looks at it; an older entry of the wheel is void.
    pub(crate) due_tick: AtomicU64,
}

impl Connection {
    /// Not open yet: what is pushed waits for [`Connection::open`].
    pub fn new(
        stream: TcpStream,
        id: u64,
        protocol: Protocol,
        keepalive: Keepalive,
        metrics: Arc<Metrics>,
        queued: Arc<TotalQueued>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            protocol,
            metrics,
            stream,
            outbox: Outbox::new(queued),
            task: AtomicWaker::new(),
            keepalive: Mutex::new(keepalive),
            due_tick: AtomicU64::new(0),
        })
    }

    /// Answers the handshake; what was pushed meanwhile follows.
    pub fn open(&self, answer: Bytes) {
        self.outbox.open(answer);
        self.flush();
    }

    /// Queues a frame. The caller flushes, when it holds no lock.
    pub fn push(&self, frame: Bytes) -> Pushed {
        let pushed = self.outbox.push(frame);
        self.noticed(pushed)
    }

    /// Queues a part of a feed, which never is too much for this client. The caller flushes.
    pub(crate) fn push_replay(&self, frame: Bytes) -> Pushed {
        let pushed = self.outbox.push_replay(frame);
        self.noticed(pushed)
    }

    fn noticed(&self, pushed: Pushed) -> Pushed {
        if pushed == Pushed::Overflowed {
            tracing::debug!(socket = self.id, "closing a socket that is too slow");
            self.task.wake();
        }
        pushed
    }

    /// Ends the connection after what is queued; the first reason stays.
    pub(crate) fn close(&self, end: impl Into<End>) {
        self.outbox.close(end.into());
        self.task.wake();
    }

    #[cfg(test)]
    pub(crate) fn end(&self) -> Option<End> {
        self.outbox.end()
    }

    /// Frames and bytes that wait.
    pub(crate) fn depth(&self) -> (usize, usize) {
        self.outbox.depth()
    }

    /// Hands to the kernel what it takes, unless somebody is doing that. Never waits.
    pub fn flush(&self) {
        let mut turn = self.outbox.turn();
        loop {
            let batch = match turn {
                Turn::Write(batch) => batch,
                Turn::Rest => return,
                Turn::Finish => return self.task.wake(),
            };
            match write(&self.stream, &batch) {
                Ok(0) => {
                    self.outbox.fail();
                    return self.task.wake();
                }
                Ok(bytes) => {
                    let (frames, next) = self.outbox.written(bytes);
                    self.metrics.delivered(frames);
                    turn = next;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    turn = self.outbox.written(0).1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.outbox.block();
                    // The task waits for the kernel.
                    return self.task.wake();
                }
                Err(error) => {
                    tracing::debug!(socket = self.id, %error, "cannot write to a socket");
                    self.outbox.fail();
                    return self.task.wake();
                }
            }
        }
    }

    /// Writes on where the kernel had enough. Ready when there is a reason to end.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>) -> Poll<End> {
        // Before looking: what changes after this wakes the task.
        self.task.register(cx.waker());
        while self.outbox.is_blocked() {
            match self.stream.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {
                    self.outbox.unblock();
                    self.flush();
                }
                Poll::Ready(Err(_)) => self.outbox.fail(),
                Poll::Pending => break,
            }
        }
        match self.outbox.end() {
            Some(end) => Poll::Ready(end),
            None => Poll::Pending,
        }
    }

    /// Says the last word: the close frame behind what is queued.
    pub(crate) fn say(&self, end: End) {
        self.outbox.close(end);
        if let (Some(frame), true) = (end.frame(), self.protocol.is_websocket()) {
            self.outbox.push_last(frame);
        }
        self.flush();
    }

    /// Ready when everything that was queued has left, or can never leave.
    pub(crate) fn poll_finished(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.poll_write(cx);
        if self.depth().0 == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What the wheel asks for at a due time; the next one, unless the connection is to end.
    pub(crate) fn beat(&self, now: Instant) -> Option<Instant> {
        let beat = self.keepalive.lock().beat(now);
        match beat {
            Beat::Expired => self.close(CloseCode::TokenExpired),
            Beat::Dead => self.close(CloseCode::TooSlow),
            Beat::Ping { payload, next } => {
                self.push(self.protocol.ping(payload));
                self.flush();
                return Some(next);
            }
            Beat::Wait { next } => return Some(next),
        }
        None
    }

    /// A pong came: whether it answers our ping.
    pub(crate) fn pong(&self, payload: &[u8]) -> bool {
        self.keepalive.lock().pong(payload)
    }

    /// A new token: the connection may stay until then.
    pub(crate) fn renew(&self, expires_at: Instant) -> Instant {
        let mut keepalive = self.keepalive.lock();
        keepalive.expires_at = expires_at;
        keepalive.due()
    }

    pub(crate) fn due(&self) -> Instant {
        self.keepalive.lock().due()
    }

    pub(crate) fn due_tick(&self) -> u64 {
        self.due_tick.load(Ordering::Relaxed)
    }
}

fn write(stream: &TcpStream, batch: &Batch) -> io::Result<usize> {
    match batch {
        // Past the event loop, whose own state of the socket is in nobody's cache. It has to hear only
        // that the kernel took nothing: it tries again, and then waits.
        Batch::One(frame) => match send(stream, frame, SendFlags::empty()) {
            Err(Errno::AGAIN) => stream.try_write(frame),
            sent => Ok(sent?),
        },
        Batch::Many(frames) => {
            let mut slices = [IoSlice::new(&[]); SOCKET_WRITE_FRAMES_MAX];
            for (slice, frame) in slices.iter_mut().zip(frames) {
                *slice = IoSlice::new(frame);
            }
            stream.try_write_vectored(&slices)
        }
    }
}
