//! Applies a feed to a user's sockets: the starting position, the missed entries, and gaps that
//! cannot be filled.

use std::sync::Arc;
use std::time::Duration;

use shared::wire::Position;

use super::Sequencer;
use super::known::Known;
use crate::limits::CLOCK_SKEW;
use crate::protocol::{GapReason, Outgoing};
use crate::redis::feed_reader::{Feed, FeedEntry};

impl Sequencer {
    /// The starting position in a feed that did not exist at the time `at`: entries created since
    /// then are new to the sockets; older ones were loaded from the record.
    pub(super) fn start(
        &self,
        head: &Position,
        feed: &Feed,
        at: Duration,
        send: &mut dyn FnMut(Outgoing),
    ) -> Position {
        let first = feed.ours().position(|(ours, _)| ours.created + CLOCK_SKEW >= at);
        let base = match first.and_then(|first| feed.ours().nth(first)) {
            Some((ours, _)) => ours.seq - 1,
            None => self.held_before(&head.epoch).unwrap_or(head.seq).min(head.seq),
        };
        let base = Position { epoch: head.epoch.clone(), seq: base };
        // The feed begins with a new entry: others may have preceded it.
        if first == Some(0) && base.seq > 0 {
            send(Outgoing::Gap { reason: GapReason::Missed, position: Some(base.clone()) });
        }
        base
    }

    /// Returns to a head that is behind in the same epoch; yields the previous position. Only a
    /// Redis that lost data is behind, since an entry is in the feed before it is published.
    pub(crate) fn rewind(&mut self, head: &Position) -> Option<Position> {
        match &mut self.known {
            Known::At(last) if last.epoch == head.epoch && head.seq < last.seq => {
                Some(std::mem::replace(last, head.clone()))
            }
            _ => None,
        }
    }

    /// Adopts a head that does not continue the known position.
    pub(super) fn rebase(
        &mut self,
        head: Option<Position>,
        now: Duration,
        send: &mut dyn FnMut(Outgoing),
    ) {
        let reason = match (&self.known, &head) {
            (Known::Unknown, None) => {
                self.known = Known::Empty { at: now };
                return;
            }
            (Known::Unknown | Known::Empty { .. }, Some(_)) => GapReason::Missed,
            (Known::At(last), Some(head)) if last.epoch != head.epoch => GapReason::Epoch,
            // No feed any more (flushed, expired): the position stays valid, because the record
            // continues the count. Same epoch and not behind: nothing to do.
            _ => return,
        };
        let Some(mut head) = head else { return };
        if let Some(seq) = self.held_before(&head.epoch) {
            head.seq = seq.min(head.seq);
        }
        if reason == GapReason::Epoch || head.seq > 0 {
            send(Outgoing::Gap { reason, position: Some(head.clone()) });
        }
        self.adopt(head);
    }

    /// Delivers the entries above the position up to `upto`, if the epoch is the same, and sends
    /// gaps for holes unless these must be deletions.
    pub(super) fn replay(&mut self, upto: &Position, feed: &Feed, send: &mut dyn FnMut(Outgoing)) {
        let Known::At(last) = &mut self.known else { return };
        if last.epoch != upto.epoch || last.seq >= upto.seq {
            return;
        }
        let missed = |seq| Outgoing::Gap {
            reason: GapReason::Missed,
            position: Some(Position { seq, ..upto.clone() }),
        };
        let mut is_anchored = feed.is_anchored(last.seq);
        for (ours, entry) in feed.ours() {
            if ours.seq <= last.seq || ours.seq > upto.seq {
                continue;
            }
            if ours.seq > last.seq + 1 && !is_anchored {
                send(missed(ours.seq - 1));
            }
            if !entry.is_silent {
                send(entry.event(&upto.epoch));
            }
            last.seq = ours.seq;
            is_anchored = feed.is_intact;
        }
        if last.seq < upto.seq {
            if !is_anchored {
                send(missed(upto.seq));
            }
            last.seq = upto.seq;
        }
    }
}

impl FeedEntry {
    /// The event as it would have been for the published message.
    pub(crate) fn event(&self, epoch: &Arc<str>) -> Outgoing {
        let position = self.ours.map(|ours| Position { epoch: epoch.clone(), seq: ours.seq });
        Outgoing::Notification { text: self.notification.clone(), position }
    }
}
