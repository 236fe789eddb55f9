//! Frames in order. The first is stored inline, not in an allocation: for nearly every socket it is
//! the only one, for the microseconds of a write.

use std::collections::VecDeque;

use bytes::Bytes;

/// A queue of frames; see the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Empty only if `more` is empty.
    first: Option<Bytes>,
    more: VecDeque<Bytes>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn first(&self) -> Option<&Bytes> {
        self.first.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.more)
    }

    pub(crate) fn push_back(&mut self, frame: Bytes) {
        match &self.first {
            None => self.first = Some(frame),
            Some(_) => self.more.push_back(frame),
        }
    }

    pub(crate) fn push_front(&mut self, frame: Bytes) {
        if let Some(second) = self.first.replace(frame) {
            self.more.push_front(second);
        }
    }

    /// Frees the memory of the last burst, so that an idle connection keeps none.
    pub(crate) fn drop_first(&mut self) {
        self.first = self.more.pop_front();
        if self.more.is_empty() && self.more.capacity() > 0 {
            self.more = VecDeque::new();
        }
    }

    /// Keeps the first `count` frames.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.more.truncate(count.saturating_sub(1));
        if count == 0 {
            self.first = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_queue(calls in prop::collection::vec((0..4, 0..6_usize), 0..40)) {
            let (mut queue, mut model) = (Queue::default(), VecDeque::new());
            for (at, (call, count)) in calls.into_iter().enumerate() {
                let frame = Bytes::from(at.to_string());
                match call {
                    0 => {
                        queue.push_back(frame.clone());
                        model.push_back(frame);
                    }
                    1 => {
                        queue.push_front(frame.clone());
                        model.push_front(frame);
                    }
                    2 => {
                        queue.drop_first();
                        model.pop_front();
                    }
                    _ => {
                        queue.truncate(count);
                        model.truncate(count);
                    }
                }
                prop_assert!(queue.iter().eq(&model));
                prop_assert_eq!(queue.first(), model.front());
                prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
            }
        }
    }
}
