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
}

impl From<Incoming> for Outgoing {
    fn from(message: Incoming) -> Self {
        match message {
            Incoming::Notification { text, position } => Outgoing::Notification { text, position },
            Incoming::Change { change, unread } => Outgoing::Change { change, unread },
        }
    }
}

impl Incoming {
    /// The position in the user's feed, if the message has one.
    pub(crate) fn position(&self) -> Option<&Position> {
        match self {
            Incoming::Notification { position, .. } => position.as_ref(),
            Incoming::Change { .. } => None,
        }
    }

    /// The message in memory of its own: as received, it shares a buffer with everything read at
    /// the same time.
    fn detached(self) -> Self {
        match self {
            Incoming::Notification { text, position } => {
                Incoming::Notification { text: Bytes::copy_from_slice(&text), position }
            }
            Incoming::Change { .. } => self,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Incoming::Notification { text, .. } => text.len(),
            Incoming::Change { change, .. } => change.ids().iter().map(String::len).sum(),
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

    /// The seq of the first held message of an epoch.
    pub(crate) fn first_seq(&self, epoch: &str) -> Option<i64> {
        let mut positions = self.messages.iter().filter_map(Incoming::position);
        positions.find(|position| &*position.epoch == epoch).map(|position| position.seq)
    }

    /// Whether a notification of another service with these bytes is held.
    pub(crate) fn holds(&self, element: &[u8]) -> bool {
        self.messages.iter().any(|message| match message {
            Incoming::Notification { text, position } => position.is_none() && *text == element,
            Incoming::Change { .. } => false,
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
