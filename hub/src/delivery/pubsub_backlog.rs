//! Messages read from the subscription and not yet handled; bounded, since a hub that cannot keep
//! up would otherwise run out of memory.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::BACKLOG_BYTES_MAX;

/// In order of arrival; the flag tells events from notifications.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    messages: VecDeque<(Bytes, bool)>,
    bytes: usize,
}

impl Backlog {
    /// Queues a message. Beyond the bound, all queued messages are dropped and their number is
    /// returned: a user who misses one has to be brought up to date anyway, which includes the
    /// rest.
    pub(crate) fn push(&mut self, message: Bytes, is_event: bool) -> Option<usize> {
        let mut dropped = None;
        if self.bytes + message.len() > BACKLOG_BYTES_MAX && !self.messages.is_empty() {
            dropped = Some(self.messages.len());
            *self = Self::default();
        }
        self.bytes += message.len();
        self.messages.push_back((message, is_event));
        dropped
    }

    pub(crate) fn pop(&mut self) -> Option<(Bytes, bool)> {
        let popped = self.messages.pop_front()?;
        self.bytes -= popped.0.len();
        Some(popped)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_drops_everything_when_full() {
        let mut backlog = Backlog::default();
        let half = Bytes::from(vec![b'x'; BACKLOG_BYTES_MAX / 2]);
        for is_event in [false, true] {
            assert_eq!(backlog.push(half.clone(), is_event), None);
        }
        assert_eq!(backlog.pop(), Some((half.clone(), false)));
        assert_eq!(backlog.push(half.clone(), false), None);
        assert_eq!(backlog.push("new".into(), false), Some(2));
        assert_eq!(backlog.pop(), Some(("new".into(), false)));
        assert!(backlog.is_empty() && backlog.pop().is_none());
        let large = Bytes::from(vec![b'x'; BACKLOG_BYTES_MAX * 2]);
        assert_eq!(backlog.push(large, false), None);
    }
}
