//! One socket's life: frames out, frames in, pings, the token's end, and the goodbye.
//!
//! One task per socket and one timer. Writing never stops it from reading or from noticing that it
//! has to end, so a peer that takes nothing is found out by its pings or by its full queue.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Sink as _, SinkExt as _, Stream as _};
use shared::CloseCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::allowance::Allowance;
use crate::auth::Authority;
use crate::limits::{
    CLIENT_FRAME_BYTES_MAX, CLOSE_DEADLINE, CLOSE_DRAIN_BYTES_MAX, PINGS_UNANSWERED_MAX,
    SOCKET_BATCH_BYTES, SOCKET_READ_BUFFER_BYTES, SOCKET_WRITE_BUFFER_BYTES,
};
use crate::protocol::{ClientFrame, Protocol};
use crate::registry::Seat;

/// What a session needs beside its connection.
pub struct Session {
    pub seat: Seat,
    pub protocol: Protocol,
    pub authority: Authority,
    pub ping_interval: Duration,
}

/// Why a session is over.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The peer closed or is not there any more.
    Gone,
    /// The hub closes, with a code of its own or one of RFC 6455 §7.4.1.
    Close { code: u16, reason: &'static str },
}

impl From<CloseCode> for End {
    fn from(code: CloseCode) -> Self {
        End::Close { code: code.as_u16(), reason: code.reason() }
    }
}

enum Happening {
    /// The peer sent something.
    Message(Message),
    /// Everything handed to the connection has left.
    Flushed,
    Failed(Error),
    Gone,
    /// The outbox has changed.
    Queued,
    /// The timer went off.
    Due,
}

impl Session {
    /// Runs until the socket is closed. `early` is what the peer sent right behind its handshake.
    pub async fn run(self, connection: TcpStream, early: Vec<u8>) {
        let config = WebSocketConfig::default()
            .read_buffer_size(SOCKET_READ_BUFFER_BYTES)
            .write_buffer_size(SOCKET_WRITE_BUFFER_BYTES)
            .max_message_size(Some(CLIENT_FRAME_BYTES_MAX))
            .max_frame_size(Some(CLIENT_FRAME_BYTES_MAX));
        let mut socket =
            WebSocketStream::from_partially_read(connection, early, Role::Server, Some(config))
                .await;
        let mut live = Live::new(self);
        let end = live.serve(&mut socket).await;
        let id = live.session.seat.id();
        tracing::debug!(socket = id, ?end, "socket is over");
        if let End::Close { code, reason } = end {
            let outbox = live.session.seat.outbox.clone();
            drop(live); // a socket that is being closed does not count as online
            let mut rest = Vec::new();
            outbox.take(&mut rest, usize::MAX);
            let goodbye = say_goodbye(&mut socket, rest, code, reason);
            if timeout(CLOSE_DEADLINE, goodbye).await.is_err() {
                tracing::debug!(socket = id, "the peer did not take the close frame");
            }
        }
    }
}

/// A session with what changes while it lives.
struct Live {
    session: Session,
    allowance: Allowance,
    /// Whether something was handed to the connection that has not left.
    is_flushing: bool,
    ping_at: Instant,
    /// Payload of the last ping: a pong counts when it repeats it.
    ping: [u8; 8],
    unanswered: u32,
}

impl Live {
    fn new(session: Session) -> Self {
        // The first ping at a random moment: sockets that came together do not ping together.
        let first = session.ping_interval.mul_f64(fastrand::f64());
        Self {
            allowance: Allowance::new(Instant::now()),
            is_flushing: false,
            ping_at: Instant::now() + first,
            ping: [0; 8],
            unanswered: 0,
            session,
        }
    }

    async fn serve(&mut self, socket: &mut WebSocketStream<TcpStream>) -> End {
        let mut timer = pin!(sleep_until(self.due_at()));
        let mut batch = Vec::new();
        loop {
            if !self.is_flushing {
                self.fill(socket, &mut batch);
            }
            if let Some(code) = self.session.seat.outbox.closing() {
                return code.into();
            }
            let end = match self.next(socket, timer.as_mut()).await {
                Happening::Message(message) => self.hear(message),
                Happening::Failed(error) => Some(end_of(&error)),
                Happening::Gone => Some(End::Gone),
                Happening::Due => {
                    let end = self.due(socket);
                    timer.as_mut().reset(self.due_at());
                    end
                }
                Happening::Flushed | Happening::Queued => None,
            };
            if let Some(end) = end {
                return end;
            }
            if timer.deadline() > self.due_at() {
                timer.as_mut().reset(self.due_at());
            }
        }
    }

    /// Hands waiting frames to the connection: a bounded batch, and the next only when this one
    /// has left, so that what a slow peer does not take waits in its queue, which is bounded.
    fn fill(&mut self, socket: &mut WebSocketStream<TcpStream>, batch: &mut Vec<Utf8Bytes>) {
        self.session.seat.outbox.take(batch, SOCKET_BATCH_BYTES);
        for frame in batch.drain(..) {
            self.start_send(socket, Message::Text(frame));
        }
    }

    /// Queues a message inside the connection. An error comes up again when it is flushed.
    fn start_send(&mut self, socket: &mut WebSocketStream<TcpStream>, message: Message) {
        if let Err(error) = Pin::new(socket).start_send(message) {
            tracing::debug!(%error, "cannot write to a socket");
        }
        self.is_flushing = true;
    }

    async fn next(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        timer: Pin<&mut Sleep>,
    ) -> Happening {
        let is_flushing = &mut self.is_flushing;
        tokio::select! {
            happening = std::future::poll_fn(|cx| poll(socket, is_flushing, cx)) => happening,
            () = self.session.seat.outbox.changed() => Happening::Queued,
            () = timer => Happening::Due,
        }
    }

    fn hear(&mut self, message: Message) -> Option<End> {
        if let Message::Pong(payload) = &message {
            if payload.as_ref() == self.ping.as_slice() {
                self.unanswered = 0;
            }
            return None;
        }
        if !self.allowance.take(Instant::now()) {
            return Some(CloseCode::TooFast.into());
        }
        // A ping was answered by tungstenite, the answer has to leave.
        self.is_flushing |= matches!(message, Message::Ping(_));
        match (message, self.session.protocol) {
            (Message::Text(text), protocol) => match (ClientFrame::parse(&text), protocol) {
                (Some(ClientFrame::Auth { token }), _) => {
                    self.session.authority.renew(&token).err().map(End::from)
                }
                (None, Protocol::V1) => Some(CloseCode::Protocol.into()),
                (None, Protocol::Raw) => None,
            },
            (Message::Binary(_), Protocol::V1) => Some(CloseCode::Protocol.into()),
            _ => None,
        }
    }

    /// When the timer has to go off.
    fn due_at(&self) -> Instant {
        self.ping_at.min(self.session.authority.expires_at())
    }

    fn due(&mut self, socket: &mut WebSocketStream<TcpStream>) -> Option<End> {
        let now = Instant::now();
        if self.session.authority.expires_at() <= now {
            return Some(CloseCode::TokenExpired.into());
        }
        if self.ping_at <= now {
            if self.unanswered >= PINGS_UNANSWERED_MAX {
                return Some(CloseCode::TooSlow.into());
            }
            self.unanswered += 1;
            // Random: a peer cannot answer pings it has not read.
            self.ping = fastrand::u64(..).to_le_bytes();
            self.ping_at = now + self.session.ping_interval;
            self.start_send(socket, Message::Ping(Bytes::copy_from_slice(&self.ping)));
        }
        None
    }
}

/// Writes what waits and reads what comes, whichever can.
fn poll(
    socket: &mut WebSocketStream<TcpStream>,
    is_flushing: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Happening> {
    if *is_flushing {
        match Pin::new(&mut *socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                *is_flushing = false;
                return Poll::Ready(Happening::Flushed);
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Happening::Failed(error)),
            Poll::Pending => {}
        }
    }
    Pin::new(socket).poll_next(cx).map(|message| match message {
        Some(Ok(message)) => Happening::Message(message),
        Some(Err(error)) => Happening::Failed(error),
        None => Happening::Gone,
    })
}

/// What the peer did wrong, or that it is gone.
fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(_) => CloseCode::FrameTooLarge.into(),
        // Connections break; nobody is left to be told.
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => End::Gone,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Error::Protocol(_) => End::Close { code: 1002, reason: "protocol error" },
        Error::Utf8(_) => End::Close { code: 1007, reason: "not UTF-8" },
        _ => CloseCode::Internal.into(),
    }
}

async fn say_goodbye(
    socket: &mut WebSocketStream<TcpStream>,
    rest: Vec<Utf8Bytes>,
    code: u16,
    reason: &'static str,
) {
    let close = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
    for frame in rest {
        if socket.feed(Message::Text(frame)).await.is_err() {
            return;
        }
    }
    if socket.send(Message::Close(Some(close))).await.is_err() {
        return;
    }
    // Nothing more from here; then wait until the peer has read it all and hangs up. Closing with
    // bytes unread would reset the connection, and the peer might never see the code.
    let connection = socket.get_mut();
    if connection.shutdown().await.is_err() {
        return;
    }
    let mut sink = [0; 1024];
    let mut drained = 0;
    while drained < CLOSE_DRAIN_BYTES_MAX {
        match connection.read(&mut sink).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => drained += bytes,
        }
    }
}
