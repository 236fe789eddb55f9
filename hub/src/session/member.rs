//! A user's socket as a session: its membership, its allowance of messages, and the meaning of its
//! messages.

use std::sync::Arc;

use shared::{CloseCode, UserId};
use tokio::time::Instant;

use crate::admission::rate_limit::{Bucket, Rate};
use crate::admission::{ConnectionPermit, SocketPermit};
use crate::limits::{CLIENT_FRAMES_BURST, CLIENT_FRAMES_PER_S};
use crate::metrics::Metrics;
use crate::protocol::{ClientFrame, Outgoing, Protocol};
use crate::session::token::Authority;
use crate::socket::connection::Connection;
use crate::socket::end::End;
use crate::socket::task::Listener;
use crate::socket::timer_wheel::TimerWheel;
use crate::users::Membership;

const FRAMES: Rate = Rate { per_s: CLIENT_FRAMES_PER_S, burst: CLIENT_FRAMES_BURST };

/// A socket's session. Dropping it ends the membership.
pub(crate) struct Member {
    membership: Membership,
    authority: Authority,
    wheel: Arc<TimerWheel>,
    allowance: Allowance,
}

impl Member {
    pub(crate) fn new(
        membership: Membership,
        authority: Authority,
        wheel: Arc<TimerWheel>,
    ) -> Self {
        Self { membership, authority, wheel, allowance: Allowance::new(Instant::now()) }
    }

    fn renewal(&self, connection: &Arc<Connection>) -> Renewal {
        Renewal {
            authority: self.authority.clone(),
            user: self.membership.user().clone(),
            connection: connection.clone(),
            wheel: self.wheel.clone(),
        }
    }

    fn renew(&self, connection: &Arc<Connection>, token: String) -> Option<End> {
        let renewal = self.renewal(connection);
        if !self.authority.must_fetch(&token) {
            return renewal.apply(&token).err();
        }
        // The socket goes on meanwhile: its old token is still valid.
        tokio::spawn(async move {
            renewal.authority.prepare(&token).await;
            if let Err(end) = renewal.apply(&token) {
                renewal.connection.close(end);
            }
        });
        None
    }
}

/// A new token for a socket.
struct Renewal {
    authority: Authority,
    user: UserId,
    connection: Arc<Connection>,
    wheel: Arc<TimerWheel>,
}

impl Renewal {
    fn apply(&self, token: &str) -> Result<(), End> {
        let expires_at = self.authority.renew(&self.user, token)?;
        let connection = &self.connection;
        let due = connection.renew(expires_at);
        self.wheel.add(connection, due);
        let renewed = Outgoing::Renewed { expires_in_ms: connection.expires_in_ms() };
        if let Some(answer) = renewed.encode(connection.protocol) {
            connection.push(answer);
            connection.flush();
        }
        Ok(())
    }
}

impl Listener for Member {
    fn admit(&mut self) -> Option<End> {
        (!self.allowance.take(Instant::now())).then(|| CloseCode::TooFast.into())
    }

    fn text(&mut self, connection: &Arc<Connection>, text: String) -> Option<End> {
        match (ClientFrame::parse(&text), connection.protocol) {
            (Some(ClientFrame::Auth { token }), _) => self.renew(connection, token),
            (Some(ClientFrame::Ping), Protocol::V1) => {
                self.membership.ping();
                None
            }
            (Some(ClientFrame::Ping), _) => None,
            (None, Protocol::V1) => Some(CloseCode::Protocol.into()),
            (None, _) => None,
        }
    }

    fn binary(&mut self, connection: &Arc<Connection>, _data: Vec<u8>) -> Option<End> {
        (connection.protocol == Protocol::V1).then(|| CloseCode::Protocol.into())
    }
}

/// The messages a client may send: a full burst at first, which refills over time.
#[derive(Debug)]
struct Allowance(Bucket);

impl Allowance {
    fn new(now: Instant) -> Self {
        Self(Bucket::new(now))
    }

    /// Takes one; false if none is left.
    fn take(&mut self, now: Instant) -> bool {
        self.0.take(FRAMES, now)
    }
}

/// The counts of an open socket; dropping it releases them.
pub(crate) struct SocketGuard {
    metrics: Arc<Metrics>,
    protocol: Protocol,
    code: Option<u16>,
    _permits: (ConnectionPermit, SocketPermit),
}

impl SocketGuard {
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        protocol: Protocol,
        permits: (ConnectionPermit, SocketPermit),
    ) -> Self {
        metrics.socket_opened(protocol);
        Self { metrics, protocol, code: None, _permits: permits }
    }

    /// Records the reason for the end.
    pub(crate) fn end(mut self, end: End) {
        self.code = end.code();
    }
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        self.metrics.socket_closed(self.protocol, self.code);
    }
}
