//! The order of one user's notifications: decides which to deliver, drop, or hold. No I/O and no
//! clock, so that every interleaving can be tested.
//!
//! Bellwire's messages carry a position (`bw`): a counter per user, under an epoch that changes
//! when the record is replaced. Other services' messages carry none and are always delivered. While
//! the feed is being read, all of the user's messages are held, so that missed ones come first.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::FEED_READS_FAILED_MAX;
use crate::protocol::{Outgoing, Welcome};
use crate::redis::feed_reader::{Feed, FeedHead, mark};
use crate::users::held::{Held, Incoming};
use known::Known;
use recent::{Recent, Replayed};
use unread::UnreadAt;

/// The read of Redis that the user's messages have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedQuery {
    /// Epoch and head from the feed's companion key.
    Head,
    /// The same with the entries.
    Feed,
}

/// The state of one user's order; see the module.
#[derive(Debug)]
pub(crate) struct Sequencer {
    known: Known,
    /// The epoch before the current one: its late messages must not count as a new epoch.
    previous: Option<Arc<str>>,
    newest: Newest,
    /// Whether the feed was read since the subscription is (again) established. Before that, a jump
    /// or an unknown epoch can hide missed messages.
    is_synced: bool,
    /// Whether the subscription was lost since then: elements of other services may be missing,
    /// too.
    missed_publications: bool,
    /// Other services' elements that were replayed from the list. Boxed, because it is rare.
    replayed: Option<Box<Replayed>>,
    /// What the sockets were sent lately, if another hub forwards other services' messages.
    recent: Option<Box<Recent>>,
    /// The period of the bridge; 0 without one.
    period: u32,
    /// Held messages while the feed is being read. Boxed, because it is rare.
    held: Option<Box<Held>>,
    /// Failed reads in a row while messages were held.
    queries_failed: u32,
    /// Whether the sweep has to start the next read.
    is_query_due: bool,
    unread: Option<UnreadAt>,
    /// The number of changes and foreign notifications delivered, wrapping.
    changes: u32,
}

/// The newest feed element, from any service, that the sockets know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    /// Redis has not answered yet.
    Unknown,
    EmptyFeed,
    /// The element's [`mark`].
    Element(u64),
}

impl Newest {
    fn of(newest: Option<u64>) -> Self {
        newest.map_or(Newest::EmptyFeed, Newest::Element)
    }
}

impl Default for Sequencer {
    /// For a user's first socket; the caller requests the head.
    fn default() -> Self {
        let held = Some(Box::default());
        Self {
            known: Known::Unread,
            previous: None,
            newest: Newest::Unknown,
            is_synced: false,
            missed_publications: false,
            replayed: None,
            recent: None,
            period: 0,
            held,
            queries_failed: 0,
            is_query_due: false,
            unread: None,
            changes: 0,
        }
    }
}

impl Sequencer {
    /// The `seq` that the user's sockets have reached, if it is known.
    pub(crate) fn seq(&self) -> Option<i64> {
        self.known.seq()
    }

    /// Whether messages are held for a read that is under way.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Holds messages for a read of the feed that the caller requests, for a resuming socket.
    pub(crate) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// The subscription was lost and is back: the known position may be behind.
    pub(crate) fn unsync(&mut self) {
        self.is_synced = false;
        self.missed_publications = true;
    }

    /// Requests a comparison of the known position with the feed. The number of unread entries is
    /// dropped, in case another service changed the list without a message.
    pub(crate) fn recheck(&mut self) {
        (self.is_synced, self.unread) = (false, None);
    }

    /// The read that the sweep has to start to bring the user up to date.
    pub(crate) fn wanted(&mut self) -> Option<FeedQuery> {
        if std::mem::take(&mut self.is_query_due) {
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

    /// Handles a message from a channel.
    pub(crate) fn take(
        &mut self,
        message: Incoming,
        send: &mut dyn FnMut(Outgoing),
    ) -> Option<FeedQuery> {
        if let Some(held) = &mut self.held {
            held.push(message);
            return None;
        }
        self.decide(message, false, send)
    }

    /// Handles the companion's head, read at `now` (since the Unix epoch); `None` if there is no
    /// feed.
    pub(crate) fn head(
        &mut self,
        FeedHead { position: head, newest, unread }: FeedHead,
        now: Duration,
        send: &mut dyn FnMut(Outgoing),
    ) -> Option<FeedQuery> {
        let newest = Newest::of(newest);
        if self.known == Known::Unread {
            self.newest = newest;
            self.start_at(head, unread, now, send);
            self.is_synced = true;
            return self.release(false, send);
        }
        if self.held.is_some() {
            return None; // the read of the feed that is under way decides
        }
        let is_behind = match (&self.known, &head) {
            (Known::Empty { .. }, Some(head)) => head.seq > 0,
            (Known::At(last), Some(head)) => head.epoch == last.epoch && head.seq > last.seq,
            _ => false,
        };
        // Another service may have added an element. A list that is gone holds none, and elements
        // in the list of another epoch cannot be placed.
        let is_same = match (&self.known, &head) {
            (Known::At(last), Some(head)) => head.epoch == last.epoch,
            _ => true,
        };
        let has_news = self.missed_publications
            && newest != Newest::EmptyFeed
            && self.newest != Newest::Unknown
            && (self.newest != newest || self.may_hide_missed());
        let is_behind = is_behind || (is_same && has_news);
        if is_behind {
            self.held = Some(Box::default());
            return Some(FeedQuery::Feed);
        }
        self.note_read(newest);
        self.rebase(head, now, send);
        (self.is_synced, self.missed_publications) = (true, false);
        None
    }

    /// Handles the feed, read at `now` (since the Unix epoch).
    pub(crate) fn feed(
        &mut self,
        feed: Feed,
        now: Duration,
        send: &mut dyn FnMut(Outgoing),
    ) -> Option<FeedQuery> {
        let head = feed.head.clone();
        let missed = self.missed_of_others(&feed);
        self.note_replayed(&missed);
        match (&self.known, &head) {
            // The user's first socket is resuming, so the feed was read instead of its head.
            (Known::Unread, _) => {
                self.start_at(head.clone(), feed.unread, now, send);
            }
            (Known::Empty { at }, Some(head)) => {
                self.known = Known::At(self.start(head, &feed, *at, send));
            }
            _ => self.rebase(head.clone(), now, send),
        }
        self.note_read(Newest::of(feed.entries.last().map(|entry| mark(&entry.notification))));
        (self.is_synced, self.missed_publications) = (true, false);
        (self.queries_failed, self.is_query_due) = (0, false);
        let mut waiting = self.held.take().unwrap_or_default().into_messages();
        while let Some((message, is_asked)) = waiting.next() {
            let is_known = match (message.position(), &head) {
                (Some(at), Some(head)) => at.epoch == head.epoch && at.seq <= head.seq,
                (Some(_), None) => is_asked,
                (None, _) => true,
            };
            if !is_known && is_asked && head.is_some() {
                // An entry is in the feed before it is published: this message is of an older
                // epoch, was lost since, or had a false position.
                continue;
            }
            if !is_known {
                // It arrived during the read, and may be newer than the feed that was read.
                if let Some(head) = &head {
                    self.replay(head, &feed, send);
                }
                if let Some(query) = self.decide(message, false, send) {
                    missed.into_iter().for_each(&mut *send);
                    return Some(self.hold_all(query, waiting, send));
                }
                continue;
            }
            if let Some(before) = message.before() {
                self.replay(&before, &feed, send);
            }
            let unread = self.unread.clone();
            self.decide(message, true, send);
            if is_asked {
                // Published before the read, whose number is newer.
                self.unread = unread;
            }
        }
        // Entries above are either on their way (and will be dropped as duplicates) or lost.
        if let Some(head) = head {
            self.replay(&head, &feed, send);
        }
        missed.into_iter().for_each(send);
        None
    }

    /// Handles a read that Redis did not answer in time. Messages held after a jump stay held for a
    /// while, since the feed holds the missing ones; otherwise delivery continues from the known
    /// position, and a later read catches up.
    pub(crate) fn failed(&mut self, query: FeedQuery, send: &mut dyn FnMut(Outgoing)) {
        if query == FeedQuery::Head && self.known != Known::Unread {
            // Held messages wait for a read of the feed, which may still be answered.
            self.is_synced = false;
            return;
        }
        if self.known == Known::Unread {
            send(Outgoing::Welcome(Welcome::default()));
            self.known = Known::Unknown;
        }
        self.is_synced = false;
        let is_waited_for = self.held.as_ref().is_some_and(|held| !held.is_empty());
        if is_waited_for
            && self.known != Known::Unknown
            && self.queries_failed < FEED_READS_FAILED_MAX
        {
            self.queries_failed += 1;
            self.is_query_due = true;
            return;
        }
        (self.queries_failed, self.is_query_due) = (0, false);
        if self.held.is_some() {
            self.release(true, send);
        }
    }
}

mod decide;
mod gap_fill;
mod known;
mod recent;
#[cfg(test)]
mod tests;
mod unread;
