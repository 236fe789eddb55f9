//! The order of one user's notifications: what to deliver, drop, or hold back. Decisions only; no
//! I/O and no clock, so that every interleaving can be tested.
//!
//! Ours carry a position (`bw`): a counter per user, under an epoch that changes when the record is
//! replaced. Messages of other services carry none and are always delivered. While the feed is
//! being read, everything of the user waits, so that what was missed comes first.

use std::sync::Arc;
use std::time::Duration;

use shared::wire::Position;

use crate::limits::FEED_READS_FAILED_MAX;
use crate::protocol::Event;
use crate::redis::feed_reader::{Feed, FeedHead, mark};
use crate::users::pending::{Incoming, Pending};
use known::Known;

/// What to read from Redis before the user's messages can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedQuery {
    /// Epoch and head of the feed's companion.
    Head,
    /// The same, and the entries.
    Feed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Sequencer {
    known: Known,
    /// The epoch before the current one: its late messages must not count as a new epoch.
    previous: Option<Arc<str>>,
    /// [`mark`] of the newest element of the feed that the sockets know, whosever it is; of nothing in
    /// an empty feed. `None` while Redis could not be asked.
    newest: Option<Option<u64>>,
    /// Whether the feed was looked at since the subscription (again) stands. Until then a jump or
    /// an unknown epoch may hide something missed.
    is_synced: bool,
    /// Whether the subscription was lost since: elements of other services may have been missed, too.
    was_deaf: bool,
    /// While the feed is being read. Boxed: seldom there.
    held: Option<Box<Pending>>,
    /// Reads in a row that failed while messages waited for them.
    reads_failed: u32,
    /// The sweep has to start the next one.
    is_read_due: bool,
}

impl Default for Sequencer {
    /// For a user's first socket; the caller starts the read of the head.
    fn default() -> Self {
        let held = Some(Box::default());
        Self {
            known: Known::Unread,
            previous: None,
            newest: None,
            is_synced: false,
            was_deaf: false,
            held,
            reads_failed: 0,
            is_read_due: false,
        }
    }
}

impl Sequencer {
    /// The welcome for one more socket. `None` while the position is not known yet: then all
    /// sockets are told at once, later.
    pub(crate) fn welcome(&self) -> Option<Event> {
        match &self.known {
            Known::Unread => None,
            Known::Unknown | Known::Empty { .. } => Some(Event::Welcome(None)),
            Known::At(position) => Some(Event::Welcome(Some(position.clone()))),
        }
    }

    /// Whether messages wait for a read that is under way.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Holds messages back for a read of the feed that the caller starts, for a socket that resumes.
    pub(crate) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// The subscription was lost and stands again: what is known may be behind.
    pub(crate) fn unsync(&mut self) {
        self.is_synced = false;
        self.was_deaf = true;
    }

    /// What is known is to be compared with the feed.
    pub(crate) fn recheck(&mut self) {
        self.is_synced = false;
    }

    /// The read that the sweep starts to bring the user up to date.
    pub(crate) fn wanted(&mut self) -> Option<FeedQuery> {
        if std::mem::take(&mut self.is_read_due) {
            if let Some(held) = &mut self.held {
                held.ask();
            }
            return Some(FeedQuery::Feed);
        }
        self.needs_head().then_some(FeedQuery::Head)
    }

    /// Whether the head has to be read to bring the user up to date.
    pub(crate) fn needs_head(&self) -> bool {
        !self.is_synced && self.held.is_none()
    }

    /// Goes back to a head that is behind in the same epoch, and gives where it was. Only a Redis
    /// that lost data is behind, since a position is in the feed before it is published.
    pub(crate) fn rewind(&mut self, head: &Position) -> Option<Position> {
        match &mut self.known {
            Known::At(last) if last.epoch == head.epoch && head.seq < last.seq => {
                Some(std::mem::replace(last, head.clone()))
            }
            _ => None,
        }
    }

    /// A message from a channel.
    pub(crate) fn take(
        &mut self,
        message: Incoming,
        tell: &mut dyn FnMut(Event),
    ) -> Option<FeedQuery> {
        if let Some(held) = &mut self.held {
            held.push(message);
            return None;
        }
        self.settle(message, false, tell)
    }

    /// The companion was read at `now` (since the Unix epoch); `None`: there is no feed.
    pub(crate) fn head(
        &mut self,
        FeedHead { position: head, newest }: FeedHead,
        now: Duration,
        tell: &mut dyn FnMut(Event),
    ) -> Option<FeedQuery> {
        if self.known == Known::Unread {
            self.newest = Some(newest);
            tell(Event::Welcome(head.clone()));
            self.known = head.map_or(Known::Empty { at: now }, Known::At);
            self.is_synced = true;
            return self.release(false, tell);
        }
        if self.held.is_some() {
            return None; // a read of the feed is under way and settles it
        }
        let is_behind = match (&self.known, &head) {
            (Known::Empty { .. }, Some(head)) => head.seq > 0,
            (Known::At(last), Some(head)) => head.epoch == last.epoch && head.seq > last.seq,
            _ => false,
        };
        // An element of another service may have come, too. A list that is gone holds none, and
        // in that of another record nothing can be placed.
        let is_same = match (&self.known, &head) {
            (Known::At(last), Some(head)) => head.epoch == last.epoch,
            _ => true,
        };
        let has_news =
            self.was_deaf && newest.is_some() && self.newest.is_some_and(|known| known != newest);
        let is_behind = is_behind || (is_same && has_news);
        if is_behind {
            self.held = Some(Box::default());
            return Some(FeedQuery::Feed);
        }
        self.newest = Some(newest);
        self.rebase(head, now, tell);
        (self.is_synced, self.was_deaf) = (true, false);
        None
    }

    /// The feed was read at `now` (since the Unix epoch).
    pub(crate) fn feed(
        &mut self,
        feed: Feed,
        now: Duration,
        tell: &mut dyn FnMut(Event),
    ) -> Option<FeedQuery> {
        let head = feed.head.clone();
        let missed = self.missed_of_others(&feed);
        match (&self.known, &head) {
            // The user's first socket resumes, so that the feed was read instead of its head.
            (Known::Unread, _) => {
                tell(Event::Welcome(head.clone()));
                self.known = head.clone().map_or(Known::Empty { at: now }, Known::At);
            }
            (Known::Empty { at }, Some(head)) => {
                self.known = Known::At(self.start(head, &feed, *at, tell));
            }
            _ => self.rebase(head.clone(), now, tell),
        }
        (self.is_synced, self.was_deaf) = (true, false);
        (self.reads_failed, self.is_read_due) = (0, false);
        self.newest = Some(feed.entries.last().map(|entry| mark(&entry.notification)));
        let mut waiting = self.held.take().unwrap_or_default().into_messages();
        while let Some((message, is_asked)) = waiting.next() {
            let is_known = match (message.position(), &head) {
                (Some(at), Some(head)) => at.epoch == head.epoch && at.seq <= head.seq,
                (Some(_), None) => is_asked,
                (None, _) => true,
            };
            if !is_known && is_asked && head.is_some() {
                // A position is in the feed before it is published: this one is of an older epoch,
                // was lost since, or never was true.
                continue;
            }
            if !is_known {
                // It came while the feed was read, and may be newer than what was found there.
                if let Some(head) = &head {
                    self.replay(head, &feed, tell);
                }
                if let Some(read) = self.settle(message, false, tell) {
                    missed.into_iter().for_each(&mut *tell);
                    return Some(self.hold_all(read, waiting, tell));
                }
                continue;
            }
            if let Some(position) = message.position() {
                let before = Position { seq: position.seq - 1, ..position.clone() };
                self.replay(&before, &feed, tell);
            }
            self.settle(message, true, tell);
        }
        // What lies above is on its way (and will be dropped as a double) or was lost.
        if let Some(head) = head {
            self.replay(&head, &feed, tell);
        }
        missed.into_iter().for_each(tell);
        None
    }

    /// Redis did not answer in time. What waits behind a jump goes on waiting for a while, as the feed
    /// holds what is missing; else go on with what is known, and look again later.
    pub(crate) fn failed(&mut self, read: FeedQuery, tell: &mut dyn FnMut(Event)) {
        if read == FeedQuery::Head && self.known != Known::Unread {
            // What is held waits for a read of the feed, which may still be answered.
            self.is_synced = false;
            return;
        }
        if self.known == Known::Unread {
            tell(Event::Welcome(None));
            self.known = Known::Unknown;
        }
        self.is_synced = false;
        let is_waited_for = self.held.as_ref().is_some_and(|held| !held.is_empty());
        if is_waited_for
            && self.known != Known::Unknown
            && self.reads_failed < FEED_READS_FAILED_MAX
        {
            self.reads_failed += 1;
            self.is_read_due = true;
            return;
        }
        (self.reads_failed, self.is_read_due) = (0, false);
        if self.held.is_some() {
            self.release(true, tell);
        }
    }
}

mod decide;
mod gap_fill;
mod known;
#[cfg(test)]
mod tests;
