//! Messages of one user that wait while their feed is being read.

use bytes::Bytes;
use shared::wire::{Marked, Position};

use crate::limits::{HELD_BYTES_MAX, HELD_MESSAGES_MAX};
use crate::protocol::Event;

/// A message of a channel: what to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming(pub Event);

impl Incoming {
    pub(crate) fn notification(text: Bytes, position: Option<Position>) -> Self {
        Self(Event::Notification { text, position })
    }

    /// Waits with the others: a count of the unread that overtook a notification would be wrong.
    pub(crate) fn read(marked: Marked, unread: u32) -> Self {
        Self(Event::Read { marked, unread })
    }

    /// Where it stands in the user's feed, if that matters.
    pub(crate) fn position(&self) -> Option<&Position> {
        match &self.0 {
            Event::Notification { position, .. } => position.as_ref(),
            _ => None,
        }
    }

    /// The message with memory of its own: as it came it is part of all that was read with it.
    fn detached(self) -> Self {
        match self.0 {
            Event::Notification { text, position } => {
                Self::notification(Bytes::copy_from_slice(&text), position)
            }
            event => Self(event),
        }
    }

    fn bytes(&self) -> usize {
        match &self.0 {
            Event::Notification { text, .. } => text.len(),
            Event::Read { marked: Marked::Ids(ids), .. } => ids.iter().map(String::len).sum(),
            _ => 0,
        }
    }
}

/// In the order they came, and bounded.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    messages: Vec<Incoming>,
    bytes: usize,
    /// So many came before the read was asked for: if the feed does not know them, it never will.
    asked: usize,
}

impl Pending {
    /// Beyond the bound the newest are dropped: those of ours show up as a jump afterwards.
    pub(crate) fn push(&mut self, message: Incoming) {
        let bytes = self.bytes + message.bytes();
        if self.messages.len() >= HELD_MESSAGES_MAX || bytes > HELD_BYTES_MAX {
            tracing::debug!("too many messages wait for a read, dropping the newest");
            return;
        }
        self.bytes = bytes;
        self.messages.push(message.detached());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The seq of the first message of an epoch.
    pub(crate) fn first_seq(&self, epoch: &str) -> Option<i64> {
        let mut positions = self.messages.iter().filter_map(Incoming::position);
        positions.find(|position| &*position.epoch == epoch).map(|position| position.seq)
    }

    /// Whether a notification of another service with these bytes waits.
    pub(crate) fn holds(&self, element: &[u8]) -> bool {
        self.messages.iter().any(|message| match &message.0 {
            Event::Notification { text, position: None } => *text == element,
            _ => false,
        })
    }

    /// A read is asked for now.
    pub(crate) fn ask(&mut self) {
        self.asked = self.messages.len();
    }

    /// Each with whether it came before the read was asked for.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = (Incoming, bool)> {
        let asked = self.asked;
        self.messages.into_iter().enumerate().map(move |(at, message)| (message, at < asked))
    }
}
