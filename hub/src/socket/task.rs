//! A connection's task after the handshake: reads from the peer, continues writes after the
//! kernel's buffer was full, and closes. It sleeps unless there is work.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use shared::CloseCode;
use tokio::time::timeout;

use crate::limits::{CLOSE_DEADLINE, CLOSE_DRAIN_BYTES_MAX, SOCKET_READ_BYTES};
use crate::protocol::frame::{self, Opcode};
use crate::socket::connection::Connection;
use crate::socket::decode::{Inbound, Inbox, Violation};
use crate::socket::end::End;
use crate::socket::linger::{self, Drain};

/// Limits a peer's messages and interprets them. The duties of every endpoint in RFC 6455 are not
/// the listener's.
pub trait Listener {
    /// Called before each frame is handled, and for each read of an event stream's connection.
    fn admit(&mut self) -> Option<End>;

    /// Handles a text message; returns a reason to close, if any.
    fn text(&mut self, connection: &Arc<Connection>, text: String) -> Option<End>;

    /// Handles a binary message; returns a reason to close, if any.
    fn binary(&mut self, connection: &Arc<Connection>, data: Vec<u8>) -> Option<End>;
}

/// A connection with the state that only its task needs.
pub struct SocketTask<L> {
    connection: Arc<Connection>,
    listener: L,
    inbox: Inbox,
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::Protocol(why) => {
                tracing::debug!(why, "client violated the protocol");
                CloseCode::Malformed.into()
            }
            Violation::NotUtf8 => CloseCode::NotUtf8.into(),
            Violation::TooLarge => CloseCode::FrameTooLarge.into(),
        }
    }
}

impl<L: Listener> SocketTask<L> {
    pub fn new(connection: Arc<Connection>, listener: L, message_bytes_max: usize) -> Self {
        Self { connection, listener, inbox: Inbox::new(message_bytes_max) }
    }

    /// Runs until the connection is closed, and returns the reason. `early` holds the bytes that
    /// followed the handshake.
    pub async fn run(mut self, early: Vec<u8>) -> End {
        let handled = caught(|| self.handle(&early)).unwrap_or_else(Some);
        drop(early);
        let end = match handled {
            Some(end) => end,
            None => poll_fn(|cx| caught(|| self.poll(cx)).unwrap_or_else(Poll::Ready)).await,
        };
        let Self { connection, listener, inbox } = self;
        tracing::debug!(socket = connection.id, ?end, "socket closed");
        drop(listener); // a closing socket does not count as online
        drop(inbox); // frees an incomplete message
        if end != End::Gone {
            // Boxed, so that an open socket reserves no memory for its end.
            Box::pin(close_gracefully(&connection, end)).await;
        }
        end
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.connection.poll_write(cx) {
            return Poll::Ready(end);
        }
        let mut buffer = [0; SOCKET_READ_BYTES];
        loop {
            // Held also when this task's budget is used up (tokio's cooperative scheduling).
            if ready!(self.connection.stream.poll_read_ready(cx)).is_err() {
                return Poll::Ready(End::Gone);
            }
            match self.connection.stream.try_read(&mut buffer) {
                Ok(0) => return Poll::Ready(End::Gone),
                Ok(bytes) => {
                    if let Some(end) = self.handle(buffer.get(..bytes).unwrap_or_default()) {
                        return Poll::Ready(end);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A broken connection has no peer to tell.
                Err(_) => return Poll::Ready(End::Gone),
            }
        }
    }

    /// Handles bytes from the peer; returns a reason to close, if any.
    fn handle(&mut self, mut bytes: &[u8]) -> Option<End> {
        if !self.connection.protocol.is_websocket() {
            // An event stream's reader has no messages to send.
            return if bytes.is_empty() { None } else { self.listener.admit() };
        }
        loop {
            match self.inbox.next(&mut bytes) {
                Ok(None) => return None,
                Ok(Some(inbound)) => {
                    if let Some(end) = self.take(inbound) {
                        return Some(end);
                    }
                }
                Err(violation) => return Some(violation.into()),
            }
        }
    }

    fn take(&mut self, inbound: Inbound) -> Option<End> {
        if let Inbound::Pong(payload) = &inbound
            && self.connection.pong(payload)
        {
            return None;
        }
        // Frames of every kind count: an empty one costs as much as any.
        if let Some(end) = self.listener.admit() {
            return Some(end);
        }
        match inbound {
            Inbound::Text(text) => self.listener.text(&self.connection, text),
            Inbound::Binary(data) => self.listener.binary(&self.connection, data),
            Inbound::Ping(payload) => {
                self.connection.push(frame::encode(Opcode::Pong, &[&payload]));
                self.connection.flush();
                None
            }
            Inbound::Close(code) => Some(End::Answer { code }),
            Inbound::Pong(_) | Inbound::Fragment => None,
        }
    }
}

/// Turns a panic into the end of this one socket, with a code that tells the client to reconnect.
fn caught<T>(step: impl FnOnce() -> T) -> Result<T, End> {
    // The socket ends, so no state that the step left inconsistent is used again.
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| {
        tracing::error!("a socket's task panicked; only this socket is closed");
        CloseCode::Internal.into()
    })
}

/// Sends the close frame, then ends the hub's side first, as a server has to (RFC 6455 §7.1.1).
async fn close_gracefully(connection: &Connection, end: End) {
    connection.send_close(end);
    let mut is_said = false;
    let mut drain = Drain::new(CLOSE_DRAIN_BYTES_MAX);
    let goodbye = poll_fn(|cx| {
        if !is_said && connection.poll_finished(cx).is_ready() {
            if !linger::end(&connection.stream) {
                return Poll::Ready(());
            }
            is_said = true;
        }
        // Reading starts at once: a client that reads only after it has sent everything would not
        // receive the close frame while the hub reads nothing.
        let drained = drain.poll(&connection.stream, cx);
        if is_said { drained } else { Poll::Pending }
    });
    if timeout(CLOSE_DEADLINE, goodbye).await.is_err() {
        tracing::debug!(socket = connection.id, "the peer did not receive the close frame");
    }
}
