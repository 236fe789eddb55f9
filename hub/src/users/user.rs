//! A user who is here: where they stand, and their sockets. Always looked at under the lock of the
//! [`crate::users`].

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use shared::CloseCode;
use shared::wire::Position;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::protocol::{Event, Protocol};
use crate::redis::feed_reader::Feed;
use crate::socket::connection::Connection;
use crate::socket::outbox::Pushed;
use crate::users::resume::Cursor;
use crate::users::sequencer::{FeedQuery, Sequencer};

/// See the module.
pub(crate) struct User {
    /// Tells this time that the user is here from an earlier one.
    pub(crate) generation: u64,
    pub(crate) sequencer: Sequencer,
    pub(crate) sockets: SmallVec<[UserSocket; 1]>,
}

pub(crate) struct UserSocket {
    pub(crate) connection: Arc<Connection>,
    /// Told with the welcome: what is published from then on is delivered.
    ready: Option<oneshot::Sender<()>>,
    /// Waits for the feed, and hears nothing until then. Boxed: most sockets have none.
    cursor: Option<Box<Cursor>>,
    /// Ours up to here are known to this socket already, whatever its user's others still wait for.
    known: Option<Box<Position>>,
}

/// Connections that were told something and have to be written to, once no lock is held: at the
/// latest when this is dropped.
#[derive(Default)]
pub(crate) struct Flush {
    connections: Vec<Arc<Connection>>,
    /// When what they are told came in, and who wants to know.
    received: Option<(Instant, Arc<Metrics>)>,
}

impl Flush {
    /// For messages that were received at this time.
    pub(crate) fn received(at: Instant, metrics: Arc<Metrics>) -> Self {
        Self { connections: Vec::new(), received: Some((at, metrics)) }
    }

    pub(crate) fn flush(&mut self) {
        for connection in self.connections.drain(..) {
            connection.flush();
            if let Some((at, metrics)) = &self.received {
                metrics.delivered_after(at.elapsed());
            }
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.flush();
    }
}

/// An event in the bytes of each protocol, made once and shared.
type Encoded = [Option<Option<Bytes>>; Protocol::COUNT];

impl User {
    /// Tells every socket.
    pub(crate) fn tell(sockets: &mut [UserSocket], event: &Event, flush: &mut Flush) {
        let mut encoded = Encoded::default();
        for socket in sockets {
            if socket.wants(event) {
                socket.push(event, &mut encoded, flush);
            }
        }
    }

    /// Brings the sockets that wait for the feed up to date with it.
    pub(crate) fn resume(&mut self, feed: &Feed, flush: &mut Flush, metrics: &Metrics) {
        self.rewind(feed);
        for socket in &mut self.sockets {
            let Some(cursor) = socket.cursor.take() else { continue };
            let replay = cursor.replay(feed);
            metrics.resumed(replay.outcome(), replay.events.len());
            if socket.connection.protocol == Protocol::Raw && !replay.is_complete() {
                // It has no word for a gap.
                socket.welcomed();
                socket.connection.close(CloseCode::CursorUnreachable);
                continue;
            }
            // An event stream goes on from the last id that it was told: never one before what lies
            // below it.
            let is_stream = socket.connection.protocol == Protocol::Events;
            let head = if is_stream { None } else { feed.head.clone() };
            socket.tell(&Event::Welcome(head), flush);
            for event in &replay.events {
                socket.replay(event, flush);
            }
            socket.known = replay.upto.map(Box::new);
        }
    }

    /// A feed that has gone back (a failover to an older replica) is brought forward again by the
    /// record: what the user's other sockets have had already is news to those that resume now.
    fn rewind(&mut self, feed: &Feed) {
        if !self.sockets.iter().any(|socket| socket.cursor.is_some()) {
            return;
        }
        let Some(told) = feed.head.as_ref().and_then(|head| self.sequencer.rewind(head)) else {
            return;
        };
        for socket in self.sockets.iter_mut().filter(|socket| socket.cursor.is_none()) {
            let knows = |known: &Position| known.epoch == told.epoch && known.seq >= told.seq;
            if !socket.known.as_deref().is_some_and(knows) {
                socket.known = Some(Box::new(told.clone()));
            }
        }
    }

    /// The read to start for sockets that wait for the feed. `None` while one is under way: its
    /// answer serves them as well, since messages are held from before it began.
    pub(crate) fn read_for_resumers(&mut self) -> Option<FeedQuery> {
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
        Self { connection, ready: Some(ready), cursor: cursor.map(Box::new), known: None }
    }

    /// Tells only this socket.
    pub(crate) fn tell(&mut self, event: &Event, flush: &mut Flush) {
        if self.wants(event) {
            self.push(event, &mut Encoded::default(), flush);
        }
    }

    /// Tells only this socket something of its feed, whose size is bound enough: one that were closed
    /// for its length would come back for the same again.
    fn replay(&mut self, event: &Event, flush: &mut Flush) {
        if let Some(bytes) = event.encode(self.connection.protocol) {
            if let Event::Gap { .. } = event {
                self.connection.metrics.gap();
            }
            self.connection.push_replay(bytes);
            flush.connections.push(self.connection.clone());
        }
    }

    /// Whether an event is news to this socket.
    fn wants(&mut self, event: &Event) -> bool {
        let position = match event {
            Event::Welcome(_) => return self.ready.is_some(),
            Event::Reconnect { .. } => return true,
            Event::Notification { position, .. } | Event::Gap { position, .. } => position.as_ref(),
            Event::Read { .. } => None,
        };
        if self.cursor.is_some() {
            // It is told what lies in the feed once that is read.
            return false;
        }
        let (Some(known), Some(position)) = (&self.known, position) else { return true };
        if known.epoch == position.epoch && position.seq <= known.seq {
            return false;
        }
        // Beyond it, or in another epoch: what comes now is news to every socket.
        self.known = None;
        true
    }

    fn push(&mut self, event: &Event, encoded: &mut Encoded, flush: &mut Flush) {
        let protocol = self.connection.protocol;
        if let Some(slot) = encoded.get_mut(protocol as usize)
            && let Some(bytes) = slot.get_or_insert_with(|| event.encode(protocol))
        {
            if let Event::Gap { .. } = event {
                self.connection.metrics.gap();
            }
            match self.connection.push(bytes.clone()) {
                Pushed::Queued => flush.connections.push(self.connection.clone()),
                Pushed::Ignored | Pushed::Overflowed => {}
            }
        }
        if let Event::Welcome(_) = event {
            self.welcomed();
        }
    }

    fn welcomed(&mut self) {
        if let Some(ready) = self.ready.take() {
            // Nobody waits any more when the client left during the handshake.
            let _ = ready.send(());
        }
    }
}
