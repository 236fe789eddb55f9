//! A connected user: position and sockets. Accessed only under the lock of [`crate::users`].

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use shared::CloseCode;
use shared::wire::Position;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::channels::Hearing;
use crate::metrics::Metrics;
use crate::protocol::{Outgoing, Protocol, Welcome};
use crate::redis::feed_reader::Feed;
use crate::socket::connection::Connection;
use crate::socket::outbox::Pushed;
use crate::users::inquiry::Inquiry;
use crate::users::resume::Cursor;
use crate::users::sequencer::{FeedQuery, Sequencer};

/// A connected user.
pub(crate) struct User {
    /// Distinguishes this connected period of the user from earlier ones.
    pub(crate) generation: u64,
    /// Whether the user's channel is heard.
    pub(crate) hearing: Hearing,
    /// Whether the first read was requested.
    pub(crate) is_asked: bool,
    pub(crate) sequencer: Sequencer,
    pub(crate) sockets: SmallVec<[UserSocket; 1]>,
    pub(crate) inquiry: Inquiry,
}

pub(crate) struct UserSocket {
    pub(crate) connection: Arc<Connection>,
    /// Notified with the welcome: everything published from then on is delivered.
    ready: Option<oneshot::Sender<()>>,
    /// Set until the feed was read; the socket gets no events before. Boxed: most sockets have
    /// none.
    cursor: Option<Box<Cursor>>,
    /// The position that this socket has already reached, whatever the user's other sockets wait
    /// for.
    known: Option<Box<Position>>,
    /// Pings to answer once the number of unread entries is known.
    pub(crate) pings: u8,
}

/// Connections with new frames, to be written to once no lock is held ([`Flush::flush`]).
#[derive(Default)]
pub(crate) struct Flush {
    connections: Vec<Arc<Connection>>,
    /// The messages' time of receipt, and where to observe the delay.
    received: Option<(Instant, Arc<Metrics>)>,
}

impl Flush {
    /// For messages received at `at`.
    pub(crate) fn received(at: Instant, metrics: Arc<Metrics>) -> Self {
        Self { connections: Vec::new(), received: Some((at, metrics)) }
    }

    /// Writes to the sockets. The caller holds no lock.
    pub(crate) fn flush(mut self) {
        for connection in std::mem::take(&mut self.connections) {
            connection.flush();
            if let Some((at, metrics)) = &self.received {
                metrics.delivered_after(at.elapsed());
            }
        }
    }
}

impl Drop for Flush {
    /// Without a flush, queued frames would wait for the next one.
    fn drop(&mut self) {
        debug_assert!(self.connections.is_empty() || std::thread::panicking(), "not flushed");
    }
}

/// An event encoded for each protocol, once, and shared.
type Encoded = [Option<Option<Bytes>>; Protocol::COUNT];

impl User {
    /// Sends the event to every socket.
    pub(crate) fn send(sockets: &mut [UserSocket], event: &Outgoing, flush: &mut Flush) {
        let mut encoded = Encoded::default();
        for socket in sockets {
            if socket.wants(event) {
                socket.push(event, &mut encoded, flush);
            }
        }
    }

    /// Brings the resuming sockets up to date with the feed.
    pub(crate) fn resume(&mut self, feed: &Feed, flush: &mut Flush, metrics: &Metrics) {
        self.rewind(feed);
        for socket in &mut self.sockets {
            let Some(cursor) = socket.cursor.take() else { continue };
            let replay = cursor.replay(feed);
            metrics.resumed(replay.outcome(), replay.events.len());
            if socket.connection.protocol == Protocol::Raw && !replay.is_complete() {
                // The raw protocol has no message for a gap.
                socket.welcomed();
                socket.connection.close(CloseCode::CursorUnreachable);
                continue;
            }
            // An event stream resumes from the last id it was sent, which must not be above entries
            // that follow.
            let is_stream = socket.connection.protocol == Protocol::Events;
            let position = if is_stream { None } else { feed.head.clone() };
            let unread = feed.unread.map(|unread| unread.count);
            let welcome = Welcome { position, unread, ..Welcome::default() };
            socket.send(&Outgoing::Welcome(welcome), flush);
            for event in &replay.events {
                socket.replay(event, flush);
            }
            socket.known = replay.upto.map(Box::new);
        }
    }

    /// After a failover to an older replica, the record brings the feed forward again: entries that
    /// the user's other sockets already have are then new to the resuming ones.
    fn rewind(&mut self, feed: &Feed) {
        if !self.sockets.iter().any(|socket| socket.cursor.is_some()) {
            return;
        }
        let Some(previous) = feed.head.as_ref().and_then(|head| self.sequencer.rewind(head)) else {
            return;
        };
        for socket in self.sockets.iter_mut().filter(|socket| socket.cursor.is_none()) {
            let knows =
                |known: &Position| known.epoch == previous.epoch && known.seq >= previous.seq;
            if !socket.known.as_deref().is_some_and(knows) {
                socket.known = Some(Box::new(previous.clone()));
            }
        }
    }

    /// The read to request for resuming sockets. `None` while one is under way: its answer serves
    /// them as well, since messages are held from before it began.
    pub(crate) fn query_for_resumers(&mut self) -> Option<FeedQuery> {
        let is_wanted = self.sockets.iter().any(|socket| socket.cursor.is_some());
        if !is_wanted || self.sequencer.is_held() {
            return None;
        }
        self.sequencer.hold();
        Some(FeedQuery::Feed)
    }
}

impl UserSocket {
    pub(crate) fn new(
        connection: Arc<Connection>,
        ready: oneshot::Sender<()>,
        cursor: Option<Cursor>,
    ) -> Self {
        let cursor = cursor.map(Box::new);
        Self { connection, ready: Some(ready), cursor, known: None, pings: 0 }
    }

    /// The `seq` that it has reached, if the user's other sockets have not.
    pub(crate) fn known_seq(&self) -> Option<i64> {
        self.known.as_ref().map(|known| known.seq)
    }

    /// Whether it resumes, and its user's feed was not read yet.
    pub(crate) fn is_waiting_for_feed(&self) -> bool {
        self.cursor.is_some()
    }

    /// Sends the event to this socket only.
    pub(crate) fn send(&mut self, event: &Outgoing, flush: &mut Flush) {
        if self.wants(event) {
            self.push_now(event, flush);
        }
    }

    /// Sends the event to this socket only, whatever it waits for.
    pub(crate) fn push_now(&mut self, event: &Outgoing, flush: &mut Flush) {
        self.push(event, &mut Encoded::default(), flush);
    }

    /// Sends replay frames to this socket only, exempt from the per-socket queue limit. Closing a
    /// client over the size of a replay would only make it reconnect for the same replay.
    fn replay(&mut self, event: &Outgoing, flush: &mut Flush) {
        if let Some(bytes) = event.encode(self.connection.protocol) {
            if let Outgoing::Gap { .. } = event {
                self.connection.metrics.gap();
            }
            self.connection.push_replay(bytes);
            flush.connections.push(self.connection.clone());
        }
    }

    /// Whether an event is new to this socket.
    fn wants(&mut self, event: &Outgoing) -> bool {
        let position = match event {
            Outgoing::Welcome(_) => return self.ready.is_some(),
            Outgoing::Reconnect { .. } | Outgoing::Pong { .. } | Outgoing::Renewed { .. } => {
                return true;
            }
            Outgoing::Notification { position, .. } | Outgoing::Gap { position, .. } => {
                position.as_ref()
            }
            Outgoing::Change { .. } => None,
        };
        if self.cursor.is_some() || self.ready.is_some() {
            // It gets the feed's entries once the feed was read, or begins at its welcome.
            return false;
        }
        let (Some(known), Some(position)) = (&self.known, position) else { return true };
        if known.epoch == position.epoch && position.seq <= known.seq {
            return false;
        }
        // Above the position, or in another epoch: from now on every event is new.
        self.known = None;
        true
    }

    fn push(&mut self, event: &Outgoing, encoded: &mut Encoded, flush: &mut Flush) {
        let protocol = self.connection.protocol;
        let mut own = Encoded::default();
        let welcome = match event {
            Outgoing::Welcome(welcome) => {
                let expires_in_ms = self.connection.expires_in_ms();
                Some(Outgoing::Welcome(Welcome { expires_in_ms, ..welcome.clone() }))
            }
            _ => None,
        };
        // Each socket's welcome is its own.
        let (event, encoded) = match &welcome {
            Some(welcome) => (welcome, &mut own),
            None => (event, encoded),
        };
        if let Some(slot) = encoded.get_mut(protocol as usize)
            && let Some(bytes) = slot.get_or_insert_with(|| event.encode(protocol))
        {
            if let Outgoing::Gap { .. } = event {
                self.connection.metrics.gap();
            }
            match self.connection.push(bytes.clone()) {
                Pushed::Queued => flush.connections.push(self.connection.clone()),
                Pushed::Ignored | Pushed::Overflowed => {}
            }
        }
        if let Outgoing::Welcome(_) = event {
            self.welcomed();
        }
    }

    fn welcomed(&mut self) {
        if let Some(ready) = self.ready.take() {
            // The receiver is gone if the client left during the handshake.
            let _ = ready.send(());
        }
    }
}
