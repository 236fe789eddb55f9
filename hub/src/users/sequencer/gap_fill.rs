//! What a feed that was read tells a user's sockets: where to set out, what they have missed, and what
//! nobody can bring back.

use std::sync::Arc;
use std::time::Duration;

use shared::wire::Position;

use super::Sequencer;
use super::known::Known;
use crate::limits::CLOCK_SKEW;
use crate::protocol::{Event, GapReason};
use crate::redis::feed_reader::{Entry, Feed, mark};

impl Sequencer {
    /// Elements of other services above the newest that the sockets know. Where that one is not in the
    /// list any more, or its service publishes other bytes than it pushes, nobody can tell. Those that
    /// wait come as they are.
    pub(super) fn missed_of_others(&self, feed: &Feed) -> Vec<Event> {
        let known = match self.newest {
            // While the subscription stands nothing is missed that was published.
            _ if !self.was_deaf => return Vec::new(),
            None => return Vec::new(),
            Some(None) => 0,
            Some(Some(newest)) => {
                let is_newest = |entry: &Entry| mark(&entry.notification) == newest;
                match feed.entries.iter().rposition(is_newest) {
                    Some(at) => at + 1,
                    None => return Vec::new(),
                }
            }
        };
        let above = feed.entries.iter().skip(known).filter(|entry| entry.ours.is_none());
        let waits =
            |entry: &&Entry| self.held.as_ref().is_some_and(|held| held.holds(&entry.notification));
        let missed = above.filter(|entry| !waits(entry));
        missed.map(|entry| entry.event(&Arc::default())).collect()
    }

    /// Where to set out in a feed that did not exist at the time `at`: what was created since then
    /// is new to the sockets; older entries are the past, loaded from the record.
    pub(super) fn start(
        &self,
        head: &Position,
        feed: &Feed,
        at: Duration,
        tell: &mut dyn FnMut(Event),
    ) -> Position {
        let first = feed.ours().position(|(ours, _)| ours.created + CLOCK_SKEW >= at);
        let base = match first.and_then(|first| feed.ours().nth(first)) {
            Some((ours, _)) => ours.seq - 1,
            None => self.held_before(&head.epoch).unwrap_or(head.seq).min(head.seq),
        };
        let base = Position { epoch: head.epoch.clone(), seq: base };
        // The window of the feed begins with a new entry: others may have been there before it.
        if first == Some(0) && base.seq > 0 {
            tell(Event::Gap { reason: GapReason::Missed, position: Some(base.clone()) });
        }
        base
    }

    /// Takes over a head that does not continue what is known.
    pub(super) fn rebase(
        &mut self,
        head: Option<Position>,
        now: Duration,
        tell: &mut dyn FnMut(Event),
    ) {
        let reason = match (&self.known, &head) {
            (Known::Unknown, None) => {
                self.known = Known::Empty { at: now };
                return;
            }
            (Known::Unknown | Known::Empty { .. }, Some(_)) => GapReason::Missed,
            (Known::At(last), Some(head)) if last.epoch != head.epoch => GapReason::Epoch,
            // No feed any more (flushed, expired): the position stays good, because the record
            // goes on counting. The same epoch and not behind: nothing to do.
            _ => return,
        };
        let Some(mut head) = head else { return };
        if let Some(seq) = self.held_before(&head.epoch) {
            head.seq = seq.min(head.seq);
        }
        if reason == GapReason::Epoch || head.seq > 0 {
            tell(Event::Gap { reason, position: Some(head.clone()) });
        }
        self.adopt(head);
    }

    /// Delivers the entries above the position up to `upto`, if that is of its epoch, and tells of
    /// holes, unless they can only be what was deleted.
    pub(super) fn replay(&mut self, upto: &Position, feed: &Feed, tell: &mut dyn FnMut(Event)) {
        let Known::At(last) = &mut self.known else { return };
        if last.epoch != upto.epoch || last.seq >= upto.seq {
            return;
        }
        let missed = |seq| Event::Gap {
            reason: GapReason::Missed,
            position: Some(Position { seq, ..upto.clone() }),
        };
        let mut is_anchored = feed.is_anchored(last.seq);
        for (ours, entry) in feed.ours() {
            if ours.seq <= last.seq || ours.seq > upto.seq {
                continue;
            }
            if ours.seq > last.seq + 1 && !is_anchored {
                tell(missed(ours.seq - 1));
            }
            if !entry.is_expired {
                tell(entry.event(&upto.epoch));
            }
            last.seq = ours.seq;
            is_anchored = feed.is_intact;
        }
        if last.seq < upto.seq {
            if !is_anchored {
                tell(missed(upto.seq));
            }
            last.seq = upto.seq;
        }
    }
}

impl Entry {
    /// As it is told, like the message with which it was published.
    pub(crate) fn event(&self, epoch: &Arc<str>) -> Event {
        let position = self.ours.map(|ours| Position { epoch: epoch.clone(), seq: ours.seq });
        Event::Notification { text: self.notification.clone(), position }
    }
}
