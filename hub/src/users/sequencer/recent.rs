//! Other services' elements that a user's sockets have missed: found by comparing the list with what
//! was sent.
//!
//! With `live = bridge`, another hub forwards other services' messages, and may end unnoticed for some
//! seconds: what is sent meanwhile, Bellwire's own or forwarded by the next hub, is newer than what is
//! missing. So the messages of the last periods are remembered, and the list is compared from an
//! element on that was sent before them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Newest, Sequencer};
use crate::limits::{BRIDGE_PERIODS_KEPT, RECENT_BEFORE_MAX, RECENT_MAX, REPLAYED_MARKS_MAX};
use crate::protocol::Outgoing;
use crate::redis::feed_reader::{Feed, FeedEntry, mark};

/// Messages of one user, oldest first: those of the last periods, and a few before.
#[derive(Debug)]
pub(super) struct Recent(VecDeque<Record>);

#[derive(Clone, Copy, Debug)]
struct Record {
    period: u32,
    newest: Newest,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It was the list's newest element.
    Read,
    /// Bellwire's was sent.
    Ours,
    /// Another service's was sent.
    Foreign,
}

/// Marks of elements that were replayed from the list. Services append first and publish then, so
/// these may still be published: they are not sent a second time. Kept until another one of a service
/// arrives; with a bridge, which may have several on their way, for a period instead.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    marks: Vec<u64>,
    period: u32,
}

/// Whether the bridge may have failed to forward what was published with this record.
fn is_doubtful(record: Record, period: u32) -> bool {
    record.period.saturating_add(BRIDGE_PERIODS_KEPT) > period
}

impl Recent {
    fn after(newest: Newest) -> Self {
        Self(VecDeque::from([Record { period: 0, newest, kind: Kind::Read }]))
    }

    fn note(&mut self, record: Record) {
        self.0.push_back(record);
        let is_settled = |other: &Record| !is_doubtful(*other, record.period);
        while self.0.len() > RECENT_MAX || self.0.get(RECENT_BEFORE_MAX).is_some_and(is_settled) {
            self.0.pop_front();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether something newer may hide what was missed.
    fn may_hide(&self, period: u32) -> bool {
        self.0.back().is_some_and(|last| is_doubtful(*last, period))
    }

    /// Other services' elements of the list that were not sent.
    fn missed<'a>(&self, feed: &'a Feed, period: u32) -> Vec<&'a FeedEntry> {
        let Some((at, start)) = self.anchor(feed, period) else { return Vec::new() };
        let mut sent: Vec<u64> = self.0.iter().skip(at + 1).filter_map(Record::foreign).collect();
        let listed: Vec<_> = feed.entries.iter().map(|entry| mark(&entry.notification)).collect();
        // A service may publish other bytes than it appends: then nothing is known.
        let mut foreign = self.0.iter().filter_map(Record::foreign);
        let has_match = foreign.any(|sent| listed.contains(&sent));
        if !has_match && !sent.is_empty() {
            return Vec::new();
        }
        let mut was_sent = |mark: u64| match sent.iter().position(|sent| *sent == mark) {
            Some(at) => {
                sent.swap_remove(at);
                true
            }
            None => false,
        };
        let above = feed.entries.iter().zip(listed).skip(start);
        let foreign = above.filter(|(entry, _)| entry.ours.is_none());
        foreign.filter(|(_, mark)| !was_sent(*mark)).map(|(entry, _)| entry).collect()
    }

    /// The record whose element is in the list, and where the list begins above it: the newest one
    /// from before the doubtful ones, or the oldest one.
    fn anchor(&self, feed: &Feed, period: u32) -> Option<(usize, usize)> {
        let settled = self.0.iter().take_while(|record| !is_doubtful(**record, period)).count();
        let find = |at: usize| Some((at, above(feed, self.0.get(at)?.newest)?));
        let before = (0..settled).rev().find_map(find);
        before.or_else(|| (settled..self.0.len()).find_map(find))
    }
}

impl Record {
    /// The mark of another service's message.
    fn foreign(&self) -> Option<u64> {
        match (self.kind, self.newest) {
            (Kind::Foreign, Newest::Element(mark)) => Some(mark),
            _ => None,
        }
    }
}

/// Where the list begins above an element; `None` if that is not in the list.
fn above(feed: &Feed, newest: Newest) -> Option<usize> {
    match newest {
        Newest::Unknown => None,
        Newest::EmptyFeed => Some(0),
        Newest::Element(newest) => {
            let is_newest = |entry: &FeedEntry| mark(&entry.notification) == newest;
            feed.entries.iter().rposition(is_newest).map(|at| at + 1)
        }
    }
}

impl Sequencer {
    /// Notes the period of the bridge, which counts the times at which one hub was certain to have
    /// forwarded other services' messages; 0 without a bridge.
    pub(crate) fn set_period(&mut self, period: u32) {
        self.period = period;
    }

    /// Whether what was sent lately may hide that something was missed.
    pub(super) fn may_hide_missed(&self) -> bool {
        self.recent.as_ref().is_some_and(|recent| recent.may_hide(self.period))
    }

    /// Notes a message that is sent now.
    pub(super) fn note_sent(&mut self, text: &[u8], is_ours: bool) {
        if self.newest != Newest::Unknown {
            let kind = if is_ours { Kind::Ours } else { Kind::Foreign };
            self.note(Newest::Element(mark(text)), kind);
        }
    }

    /// Notes the list's newest element, before its comparison counts as done.
    pub(super) fn note_read(&mut self, newest: Newest) {
        let is_settled = self.newest == newest && !self.may_hide_missed();
        if self.missed_publications || is_settled {
            // Whatever was missed before is sent.
            (self.newest, self.recent) = (newest, None);
        } else if self.newest == Newest::Unknown {
            self.newest = newest;
        } else {
            self.note(newest, Kind::Read);
        }
    }

    fn note(&mut self, newest: Newest, kind: Kind) {
        let before = std::mem::replace(&mut self.newest, newest);
        if self.period > 0 {
            let recent = self.recent.get_or_insert_with(|| Box::new(Recent::after(before)));
            recent.note(Record { period: self.period, newest, kind });
        }
    }

    /// Other services' elements that the sockets have missed. There is no result if no element that
    /// they know is in the list, or if its service publishes other bytes than it appends. Held
    /// messages are left out, since they are delivered anyway.
    pub(super) fn missed_of_others(&self, feed: &Feed) -> Vec<Outgoing> {
        // Without a loss of the subscription, no publication was missed.
        if !self.missed_publications {
            return Vec::new();
        }
        let missed = match &self.recent {
            Some(recent) => recent.missed(feed, self.period),
            None => {
                let start = above(feed, self.newest).unwrap_or(feed.entries.len());
                feed.entries.iter().skip(start).filter(|entry| entry.ours.is_none()).collect()
            }
        };
        let waits = |entry: &&FeedEntry| {
            self.held.as_ref().is_some_and(|held| held.holds(&entry.notification))
        };
        let missed = missed.into_iter().filter(|entry| !waits(entry));
        missed.map(|entry| entry.event(&Arc::default())).collect()
    }

    /// Notes other services' elements that are sent because they are in the list.
    pub(super) fn note_replayed(&mut self, missed: &[Outgoing]) {
        if missed.is_empty() {
            return;
        }
        let replayed = self.replayed.get_or_insert_default();
        replayed.period = self.period;
        replayed.marks.extend(missed.iter().filter_map(|event| match event {
            Outgoing::Notification { text, .. } => Some(mark(text)),
            _ => None,
        }));
        let excess = replayed.marks.len().saturating_sub(REPLAYED_MARKS_MAX);
        replayed.marks.drain(..excess);
    }

    /// Whether another service's message was replayed from the list just before it was published.
    pub(super) fn was_replayed(&mut self, text: &[u8]) -> bool {
        let Some(replayed) = &mut self.replayed else { return false };
        let is_over = self.period > replayed.period.saturating_add(1);
        match replayed.marks.iter().position(|known| *known == mark(text)) {
            Some(at) if !is_over => {
                replayed.marks.remove(at);
                true
            }
            _ => {
                if self.period == 0 || is_over {
                    self.replayed = None;
                }
                false
            }
        }
    }
}
