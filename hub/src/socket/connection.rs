//! One open connection, shared by everything that uses it: any thread queues frames and writes them
//! to the kernel at once; the connection's own task ([`crate::socket::task`]) reads, and continues
//! a write when the kernel's buffer was full.

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

/// An open connection; see the module. Dropping it closes the connection.
#[derive(Debug)]
pub struct Connection {
    /// The socket's number, for the log.
    pub(crate) id: u64,
    pub(crate) opened_at: Instant,
    pub(crate) protocol: Protocol,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stream: TcpStream,
    outbox: Outbox,
    /// Wakes the connection's task.
    task: AtomicWaker,
    // A blocking lock, held to read or set a few numbers.
    keepalive: Mutex<Keepalive>,
    /// The tick at which the wheel checks the connection; older entries in the wheel are ignored.
    pub(crate) due_tick: AtomicU64,
}

impl Connection {
    /// A connection that is not open yet: queued frames wait for [`Connection::open`].
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
            opened_at: Instant::now(),
            protocol,
            metrics,
            stream,
            outbox: Outbox::new(queued),
            task: AtomicWaker::new(),
            keepalive: Mutex::new(keepalive),
            due_tick: AtomicU64::new(0),
        })
    }

    /// Sends the handshake's answer, then the frames queued before.
    pub fn open(&self, answer: Bytes) {
        self.outbox.open(answer);
        self.flush();
    }

    /// Queues a frame. The caller flushes after releasing its locks.
    pub fn push(&self, frame: Bytes) -> Pushed {
        let pushed = self.outbox.push(frame);
        self.noticed(pushed)
    }

    /// Queues a part of a feed, which is exempt from the limit on the queue. The caller flushes.
    pub(crate) fn push_replay(&self, frame: Bytes) -> Pushed {
        let pushed = self.outbox.push_replay(frame);
        self.noticed(pushed)
    }

    fn noticed(&self, pushed: Pushed) -> Pushed {
        if pushed == Pushed::Overflowed {
            tracing::debug!(socket = self.id, "closing a slow socket");
            self.task.wake();
        }
        pushed
    }

    /// Closes the connection after the queued frames; the first reason is kept.
    pub(crate) fn close(&self, end: impl Into<End>) {
        self.outbox.close(end.into());
        self.task.wake();
    }

    #[cfg(test)]
    pub(crate) fn end(&self) -> Option<End> {
        self.outbox.end()
    }

    /// Queued frames and bytes.
    pub(crate) fn depth(&self) -> (usize, usize) {
        self.outbox.depth()
    }

    /// Writes what the kernel accepts, unless another thread is writing. Never blocks.
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
                    // The task waits until the kernel accepts more.
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

    /// Continues writing after the kernel's buffer was full. Ready if there is a reason to close.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>) -> Poll<End> {
        // Registered before the check, so that later changes wake the task.
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

    /// Queues the close frame as the last one.
    pub(crate) fn send_close(&self, end: End) {
        self.outbox.close(end);
        if let (Some(frame), true) = (end.frame(), self.protocol.is_websocket()) {
            self.outbox.push_last(frame);
        }
        self.flush();
    }

    /// Ready when every queued frame was sent, or can never be sent.
    pub(crate) fn poll_finished(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.poll_write(cx);
        if self.depth().0 == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Performs what is due; returns the next due time unless the connection is to be closed.
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

    /// Handles a pong; true if it answers the last ping.
    pub(crate) fn pong(&self, payload: &[u8]) -> bool {
        self.keepalive.lock().pong(payload)
    }

    /// Extends the connection's validity after a renewal; returns the next due time.
    pub(crate) fn renew(&self, expires_at: Instant) -> Instant {
        let mut keepalive = self.keepalive.lock();
        keepalive.expires_at = expires_at;
        keepalive.due()
    }

    /// Time until the connection's validity ends.
    pub(crate) fn expires_in_ms(&self) -> u64 {
        let expires_at = self.keepalive.lock().expires_at;
        let left = expires_at.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
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
        // Bypasses tokio, whose own state of the socket is in no cache. Tokio only has to learn
        // that the kernel's buffer is full: then it tries again and waits.
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
