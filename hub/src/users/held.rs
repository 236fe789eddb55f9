//! The messages of one user that are held while the user's feed is being read.

use bytes::Bytes;
use shared::wire::{Change, Position, Unread};

use crate::limits::{HELD_BYTES_MAX, HELD_MESSAGES_MAX};
use crate::protocol::Outgoing;

/// A message from a channel for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A notification; other services' have no position.
    Notification { text: Bytes, position: Option<Position> },
    /// Entries were marked as read or removed. Held like the others: an unread count that overtook
    /// a notification would be wrong.
    Change { change: Change, unread: Option<Unread> },
    /// Notifications that no socket is sent take the places from `first` to the position in the feed.
    Quiet { first: i64, position: Position },
}

impl Incoming {
    /// The event for the user's sockets, if there is one.
    pub(crate) fn into_event(self) -> Option<Outgoing> {
        match self {
            Incoming::Notification { text, position } => {
                Some(Outgoing::Notification { text, position })
            }
            Incoming::Change { change, unread } => Some(Outgoing::Change { change, unread }),
            Incoming::Quiet { .. } => None,
        }
    }

    /// The position in the user's feed, if the message has one.
    pub(crate) fn position(&self) -> Option<&Position> {
        match self {
            Incoming::Notification { position, .. } => position.as_ref(),
            Incoming::Quiet { position, .. } => Some(position),
            Incoming::Change { .. } => None,
        }
    }

    /// The position before the message, if it has one: sockets there have missed nothing.
    pub(crate) fn before(&self) -> Option<Position> {
        let position = self.position()?;
        let first = match self {
            Incoming::Quiet { first, .. } => *first,
            Incoming::Notification { .. } | Incoming::Change { .. } => position.seq,
        };
        Some(Position { seq: first.saturating_sub(1), ..position.clone() })
    }

    /// The message in memory of its own: as received, it shares a buffer with everything read at
    /// the same time.
    fn detached(self) -> Self {
        match self {
            Incoming::Notification { text, position } => {
                Incoming::Notification { text: Bytes::copy_from_slice(&text), position }
            }
            Incoming::Change { .. } | Incoming::Quiet { .. } => self,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Incoming::Notification { text, .. } => text.len(),
            Incoming::Change { change, .. } => change.ids().iter().map(String::len).sum(),
            // Its epoch is shared.
            Incoming::Quiet { .. } => 0,
        }
    }
}

/// Held messages in order of arrival, bounded.
#[derive(Debug, Default)]
pub(crate) struct Held {
    messages: Vec<Incoming>,
    bytes: usize,
    /// The number of messages that arrived before the read was requested: if the feed lacks them,
    /// it always will.
    asked: usize,
}

impl Held {
    /// Holds a message. Beyond the bound the newest are dropped: those of Bellwire show up as a
    /// jump later.
    pub(crate) fn push(&mut self, message: Incoming) {
        let bytes = self.bytes + message.bytes();
        if self.messages.len() >= HELD_MESSAGES_MAX || bytes > HELD_BYTES_MAX {
            tracing::debug!("too many messages held for a read, dropping the newest");
            return;
        }
        self.bytes = bytes;
        self.messages.push(message.detached());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The seq before the first held message of an epoch.
    pub(crate) fn before(&self, epoch: &str) -> Option<i64> {
        let mut positions = self.messages.iter().filter_map(Incoming::before);
        positions.find(|position| &*position.epoch == epoch).map(|position| position.seq)
    }

    /// Whether a notification of another service with these bytes is held.
    pub(crate) fn holds(&self, element: &[u8]) -> bool {
        self.messages.iter().any(|message| match message {
            Incoming::Notification { text, position } => position.is_none() && *text == element,
            Incoming::Change { .. } | Incoming::Quiet { .. } => false,
        })
    }

    /// Records that the read is requested now.
    pub(crate) fn ask(&mut self) {
        self.asked = self.messages.len();
    }

    /// The messages, each with whether it arrived before the read was requested.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = (Incoming, bool)> {
        let asked = self.asked;
        self.messages.into_iter().enumerate().map(move |(at, message)| (message, at < asked))
    }
}
