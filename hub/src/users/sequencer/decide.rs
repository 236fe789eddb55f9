//! Decides on messages one by one: deliver, drop, or hold for a read.

use shared::wire::Position;

use super::known::{Known, Step};
use super::{FeedQuery, Sequencer};
use crate::protocol::{GapReason, Outgoing};
use crate::users::held::{Held, Incoming};

impl Sequencer {
    /// The seq before the first held message of the epoch.
    pub(super) fn held_before(&self, epoch: &str) -> Option<i64> {
        self.held.as_ref()?.before(epoch)
    }

    /// Releases the held messages. Without `force`, a message may require another read; it and
    /// those after it stay held.
    pub(super) fn release(
        &mut self,
        force: bool,
        send: &mut dyn FnMut(Outgoing),
    ) -> Option<FeedQuery> {
        let mut waiting = self.held.take().unwrap_or_default().into_messages();
        while let Some((message, _)) = waiting.next() {
            if let Some(query) = self.decide(message, force, send) {
                return Some(self.hold_all(query, waiting, send));
            }
        }
        None
    }

    /// Holds the messages that follow one that waits for a read.
    pub(super) fn hold_all(
        &mut self,
        query: FeedQuery,
        messages: impl Iterator<Item = (Incoming, bool)>,
        send: &mut dyn FnMut(Outgoing),
    ) -> FeedQuery {
        for (message, _) in messages {
            self.take(message, send);
        }
        self.held.get_or_insert_default().ask();
        query
    }

    /// Decides on one message. With `force` it is not held, even if messages before it may be
    /// missing.
    pub(super) fn decide(
        &mut self,
        message: Incoming,
        force: bool,
        send: &mut dyn FnMut(Outgoing),
    ) -> Option<FeedQuery> {
        let (Some(position), Some(before)) = (message.position().cloned(), message.before()) else {
            let is_known = match &message {
                Incoming::Notification { text, .. } => self.was_replayed(text),
                Incoming::Change { .. } | Incoming::Quiet { .. } => false,
            };
            if !is_known {
                self.send_live(message, send);
            }
            return None;
        };
        let is_previous = self.previous.as_ref() == Some(&position.epoch);
        match self.known.step(&position, before.seq, self.is_synced) {
            Step::Old => return None,
            Step::Next => {}
            // Redis did not answer: dropping a late message is better than announcing a false
            // epoch.
            Step::Uncertain(GapReason::Epoch) if force && is_previous => return None,
            Step::Uncertain(_) if !force => {
                let mut held = Box::<Held>::default();
                held.push(message);
                held.ask();
                self.held = Some(held);
                return Some(FeedQuery::Feed);
            }
            Step::Gap(reason) | Step::Uncertain(reason) => {
                if before.seq > 0 || reason == GapReason::Epoch {
                    send(Outgoing::Gap { reason, position: Some(before) });
                }
            }
        }
        self.adopt(position);
        self.send_live(message, send);
        None
    }

    fn send_live(&mut self, message: Incoming, send: &mut dyn FnMut(Outgoing)) {
        match &message {
            Incoming::Notification { text, position } => {
                self.note_sent(text, position.is_some());
                if position.is_none() {
                    // Its element may have moved one of Bellwire's out of the feed window.
                    self.changed(None);
                }
            }
            Incoming::Change { unread, .. } => self.changed(*unread),
            // `newest` stays: after a loss of the subscription the feed is read once more, and what
            // lies above the element that was newest before is found there.
            Incoming::Quiet { .. } => {}
        }
        if let Some(event) = message.into_event() {
            send(event);
        }
    }

    pub(super) fn adopt(&mut self, position: Position) {
        if let Known::At(last) = &mut self.known
            && last.epoch != position.epoch
        {
            self.previous = Some(last.epoch.clone());
        }
        self.known = Known::At(position);
    }
}
