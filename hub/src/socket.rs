//! One connection's life once its handshake is answered: hearing the peer, writing on where the
//! kernel had enough, and the goodbye. One task each, which sleeps unless there is something to do.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use shared::CloseCode;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::time::{Instant, timeout};

use crate::admission::{ConnectionPermit, SocketPermit};
use crate::allowance::Allowance;
use crate::auth::Authority;
use crate::connection::{Connection, End};
use crate::frame::{self, Opcode};
use crate::inbound::{Inbound, Inbox, Violation};
use crate::limits::{
    CLIENT_FRAME_BYTES_MAX, CLOSE_DEADLINE, CLOSE_DRAIN_BYTES_MAX, SOCKET_READ_BYTES,
};
use crate::metrics::Metrics;
use crate::protocol::{ClientFrame, Protocol};
use crate::registry::Seat;
use crate::wheel::Wheel;

/// A connection with what only its task needs.
pub struct Socket {
    connection: Arc<Connection>,
    seat: Seat,
    authority: Authority,
    wheel: Arc<Wheel>,
    inbox: Inbox,
    allowance: Allowance,
    stay: Stay,
}

/// What counts a socket while it is open, and gives up its places when it is over.
pub struct Stay {
    metrics: Arc<Metrics>,
    protocol: Protocol,
    code: Option<u16>,
    _permits: (ConnectionPermit, SocketPermit),
}

impl Stay {
    pub fn new(
        metrics: Arc<Metrics>,
        protocol: Protocol,
        permits: (ConnectionPermit, SocketPermit),
    ) -> Self {
        metrics.socket_opened(protocol);
        Self { metrics, protocol, code: None, _permits: permits }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.metrics.socket_closed(self.protocol, self.code);
    }
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::Protocol(why) => {
                tracing::debug!(why, "a client broke the protocol");
                CloseCode::Malformed.into()
            }
            Violation::NotUtf8 => CloseCode::NotUtf8.into(),
            Violation::TooLarge => CloseCode::FrameTooLarge.into(),
        }
    }
}

impl Socket {
    pub fn new(
        connection: Arc<Connection>,
        seat: Seat,
        authority: Authority,
        wheel: Arc<Wheel>,
        stay: Stay,
    ) -> Self {
        let inbox = Inbox::new(CLIENT_FRAME_BYTES_MAX);
        let allowance = Allowance::new(Instant::now());
        Self { connection, seat, authority, wheel, inbox, allowance, stay }
    }

    /// Runs until the connection is closed. `early` is what the peer sent right behind its
    /// handshake.
    pub async fn run(mut self, early: Vec<u8>) {
        let end = match self.hear(&early) {
            Some(end) => end,
            None => {
                drop(early);
                poll_fn(|cx| self.poll(cx)).await
            }
        };
        let Self { connection, seat, mut stay, .. } = self;
        stay.code = end.code();
        tracing::debug!(socket = connection.id, ?end, "socket is over");
        drop(seat); // a socket that is being closed does not count as online
        if end != End::Gone {
            // Boxed: a socket that lives keeps no room for its end.
            Box::pin(say_goodbye(&connection, end)).await;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.connection.poll_write(cx) {
            return Poll::Ready(end);
        }
        let mut buffer = [0; SOCKET_READ_BYTES];
        loop {
            // Pending also when this task has had its share (tokio's cooperative budget).
            if ready!(self.connection.stream.poll_read_ready(cx)).is_err() {
                return Poll::Ready(End::Gone);
            }
            match self.connection.stream.try_read(&mut buffer) {
                Ok(0) => return Poll::Ready(End::Gone),
                Ok(bytes) => {
                    if let Some(end) = self.hear(buffer.get(..bytes).unwrap_or_default()) {
                        return Poll::Ready(end);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Connections break; nobody is left to be told.
                Err(_) => return Poll::Ready(End::Gone),
            }
        }
    }

    /// What the peer sent; a reason to end if there is one.
    fn hear(&mut self, mut bytes: &[u8]) -> Option<End> {
        if !self.connection.protocol.is_websocket() {
            // The reader of an event stream has nothing to say.
            return (!bytes.is_empty() && !self.allowance.take(Instant::now()))
                .then(|| CloseCode::TooFast.into());
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
        if !self.allowance.take(Instant::now()) {
            return Some(CloseCode::TooFast.into());
        }
        match (inbound, self.connection.protocol) {
            (Inbound::Text(text), protocol) => match (ClientFrame::parse(&text), protocol) {
                (Some(ClientFrame::Auth { token }), _) => self.renew(&token).err(),
                (None, Protocol::V1) => Some(CloseCode::Protocol.into()),
                (None, _) => None,
            },
            (Inbound::Binary(_), Protocol::V1) => Some(CloseCode::Protocol.into()),
            (Inbound::Ping(payload), _) => {
                self.connection.push(frame::encode(Opcode::Pong, &[&payload]));
                self.connection.flush();
                None
            }
            (Inbound::Close(code), _) => Some(End::Answer { code }),
            (Inbound::Binary(_) | Inbound::Pong(_) | Inbound::Fragment, _) => None,
        }
    }

    fn renew(&self, token: &str) -> Result<(), End> {
        let expires_at = self.authority.renew(self.seat.user(), token)?;
        let due = self.connection.renew(expires_at);
        self.wheel.add(&self.connection, due);
        Ok(())
    }
}

async fn say_goodbye(connection: &Connection, end: End) {
    let goodbye = async {
        connection.say(end);
        poll_fn(|cx| connection.poll_finished(cx)).await;
        if matches!(end, End::Answer { .. }) {
            return; // it has had its last word, and the connection is ours to close (§7.1.1)
        }
        // Nothing more from here; then wait until the peer has read it all and hangs up. Closing
        // with bytes unread would reset the connection, and the peer might never see the code.
        if SockRef::from(&connection.stream).shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut drained = 0;
        while drained < CLOSE_DRAIN_BYTES_MAX {
            if connection.stream.ready(Interest::READABLE).await.is_err() {
                return;
            }
            let mut sink = [0; 1024];
            match connection.stream.try_read(&mut sink) {
                Ok(0) => return,
                Ok(bytes) => drained += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    if timeout(CLOSE_DEADLINE, goodbye).await.is_err() {
        tracing::debug!(socket = connection.id, "the peer did not take the close frame");
    }
}
