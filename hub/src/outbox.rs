//! What waits for one socket: a bounded queue of frames, and the reason to close if there is one.
//!
//! Not a tokio channel: an empty queue costs nothing here (a channel allocates a block of slots per
//! socket at once), the bound counts bytes too, the reason to close does not wait behind frames
//! that a slow client never takes, and a writer takes many frames at once.

use std::collections::VecDeque;

use parking_lot::Mutex;
use shared::CloseCode;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::limits::{SOCKET_QUEUE_BYTES_MAX, SOCKET_QUEUE_FRAMES_MAX};

/// Shared by the registry, which pushes, and the session, which takes.
#[derive(Default)]
pub struct Outbox {
    // A plain lock: both sides hold it for a push or a pop, never across an await.
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    /// Once set, nothing more is taken in.
    close: Option<CloseCode>,
}

impl Outbox {
    /// Queues a frame. A client that is behind by the whole queue is closed with `TooSlow`, and
    /// what waited for it is dropped: it resumes from its feed.
    ///
    /// Returns whether this very push closed it.
    pub fn push(&self, frame: Utf8Bytes) -> bool {
        let mut state = self.state.lock();
        if state.close.is_some() {
            return false;
        }
        let bytes = state.bytes + frame.len();
        // One frame may have any size, else a large notification would close everybody.
        let is_full = state.frames.len() >= SOCKET_QUEUE_FRAMES_MAX
            || (bytes > SOCKET_QUEUE_BYTES_MAX && !state.frames.is_empty());
        if is_full {
            *state = State { close: Some(CloseCode::TooSlow), ..State::default() };
        } else {
            state.bytes = bytes;
            state.frames.push_back(frame);
        }
        drop(state);
        self.changed.notify_one();
        is_full
    }

    /// Asks the session to close the socket after what is queued; the first reason stays.
    pub fn close(&self, code: CloseCode) {
        self.state.lock().close.get_or_insert(code);
        self.changed.notify_one();
    }

    /// The reason to close, also while frames still wait.
    pub fn closing(&self) -> Option<CloseCode> {
        self.state.lock().close
    }

    /// Moves frames into `batch` until it holds `bytes_max` or nothing waits.
    pub fn take(&self, batch: &mut Vec<Utf8Bytes>, bytes_max: usize) {
        let mut state = self.state.lock();
        let mut bytes = 0;
        while bytes < bytes_max {
            let Some(frame) = state.frames.pop_front() else { break };
            bytes += frame.len();
            batch.push(frame);
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        if state.frames.is_empty() {
            // An idle socket keeps no memory of its last burst.
            state.frames = VecDeque::new();
        }
    }

    /// Waits until something was pushed or a reason to close was given since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_in_order_and_in_batches() {
        let outbox = Outbox::default();
        for frame in ["a", "bb", "c"] {
            assert!(!outbox.push(frame.into()));
        }
        let mut batch = Vec::new();
        outbox.take(&mut batch, 2);
        assert_eq!(batch, ["a", "bb"]);
        outbox.take(&mut batch, 2);
        assert_eq!(batch, ["a", "bb", "c"]);
    }

    #[test]
    fn is_bounded_in_frames_and_in_bytes() {
        let outbox = Outbox::default();
        let closed = (0..=SOCKET_QUEUE_FRAMES_MAX).find(|_| outbox.push("x".into()));
        assert_eq!(closed, Some(SOCKET_QUEUE_FRAMES_MAX));
        assert_eq!(outbox.closing(), Some(CloseCode::TooSlow));
        let mut batch = Vec::new();
        outbox.take(&mut batch, usize::MAX);
        assert!(batch.is_empty());

        let outbox = Outbox::default();
        assert!(!outbox.push("x".repeat(SOCKET_QUEUE_BYTES_MAX + 1).into()));
        assert!(outbox.push("x".into()));
    }

    #[test]
    fn the_first_reason_stays_and_nothing_follows_it() {
        let outbox = Outbox::default();
        outbox.push("a".into());
        outbox.close(CloseCode::Restart);
        outbox.close(CloseCode::TooSlow);
        outbox.push("b".into());
        let mut batch = Vec::new();
        outbox.take(&mut batch, usize::MAX);
        assert_eq!((batch.len(), outbox.closing()), (1, Some(CloseCode::Restart)));
    }
}
