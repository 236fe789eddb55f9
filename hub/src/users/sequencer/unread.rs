//! The number of unread entries at the position that the user's sockets have reached. It comes from
//! Redis, with a read or a change, and is never counted here: a delivered notification makes it
//! unknown until the next of either.

use std::time::Duration;

use shared::wire::{Position, Unread};

use super::Sequencer;
use super::known::Known;
use crate::protocol::{Outgoing, Welcome};

/// A number with the position that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnreadAt {
    position: Position,
    unread: Unread,
}

impl Sequencer {
    /// The position that the sockets have reached; `None` without a feed, or while it is unknown.
    pub(crate) fn position(&self) -> Option<&Position> {
        match &self.known {
            Known::Unread | Known::Unknown | Known::Empty { .. } => None,
            Known::At(position) => Some(position),
        }
    }

    /// The number of unread entries at that position at the time `now` (since the Unix epoch), if
    /// it is known without a read of Redis.
    pub(crate) fn unread(&self, now: Duration) -> Option<u32> {
        let UnreadAt { position, unread } = self.unread.as_ref()?;
        let is_here = self.is_synced && self.position() == Some(position);
        (is_here && now.as_millis() < unread.until_ms.try_into().unwrap_or(0))
            .then_some(unread.count)
    }

    /// The welcome for another socket at the time `now`. `None` while the position is unknown: all
    /// sockets get the welcome together once it is known.
    pub(crate) fn welcome(&self, now: Duration) -> Option<Welcome> {
        (self.known != Known::Unread).then(|| Welcome {
            position: self.position().cloned(),
            unread: self.unread(now),
            ..Welcome::default()
        })
    }

    /// Notes a number that was read together with its position.
    pub(crate) fn set_unread(&mut self, position: Option<&Position>, unread: Option<Unread>) {
        let position = position.cloned();
        self.unread = position.zip(unread).map(|(position, unread)| UnreadAt { position, unread });
    }

    /// Counts what changes the number without changing the position. A read of Redis that was
    /// requested at another count may be older than the last of these.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    /// Notes a change that is delivered now. Its number includes all notifications delivered before
    /// it, and no later one.
    pub(super) fn changed(&mut self, unread: Option<Unread>) {
        self.changes = self.changes.wrapping_add(1);
        let position = self.position().cloned();
        self.set_unread(position.as_ref(), unread);
    }

    /// Takes the position of the first read, and welcomes the sockets.
    pub(super) fn start_at(
        &mut self,
        head: Option<Position>,
        unread: Option<Unread>,
        now: Duration,
        send: &mut dyn FnMut(Outgoing),
    ) {
        let unread = unread.map(|unread| unread.count);
        send(Outgoing::Welcome(Welcome { position: head.clone(), unread, ..Welcome::default() }));
        self.known = head.map_or(Known::Empty { at: now }, Known::At);
    }
}
