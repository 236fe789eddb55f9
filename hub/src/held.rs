//! Messages of one user that wait while their feed is being read.

use shared::wire::Position;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::limits::{HELD_BYTES_MAX, HELD_MESSAGES_MAX};

/// A message of the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub notification: Utf8Bytes,
    pub position: Option<Position>,
}

/// In the order they came, and bounded.
#[derive(Debug, Default)]
pub struct Held {
    messages: Vec<Incoming>,
    bytes: usize,
}

impl Held {
    /// Beyond the bound the newest are dropped: those of ours show up as a jump afterwards.
    pub fn push(&mut self, message: Incoming) {
        let bytes = self.bytes + message.notification.len();
        if self.messages.len() >= HELD_MESSAGES_MAX || bytes > HELD_BYTES_MAX {
            tracing::debug!("too many messages wait for a read, dropping the newest");
            return;
        }
        self.bytes = bytes;
        self.messages.push(message);
    }

    /// The seq of the first message of an epoch.
    pub fn first_seq(&self, epoch: &str) -> Option<i64> {
        let mut positions = self.messages.iter().filter_map(|message| message.position.as_ref());
        positions.find(|position| position.epoch == epoch).map(|position| position.seq)
    }

    pub fn into_messages(self) -> std::vec::IntoIter<Incoming> {
        self.messages.into_iter()
    }
}
