//! What waits for one connection: a bounded queue of frames, who is writing them, and the reason to
//! close if there is one. Decisions only; [`crate::connection`] does the writing.
//!
//! Whoever delivers writes at once, without waking the connection's task; the lock is held for
//! pushes and pops, never while the kernel is called. One writer at a time, and what it is writing
//! stays at the front until it is known how much of it has left.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::connection::End;
use crate::limits::{SOCKET_QUEUE_BYTES_MAX, SOCKET_QUEUE_FRAMES_MAX, SOCKET_WRITE_FRAMES_MAX};

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    // A plain lock: both sides hold it for a push or a pop.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    frames: VecDeque<Bytes>,
    /// Of all frames, also of what has left of the first.
    bytes: usize,
    /// What has left of the first frame.
    written: usize,
    /// Frames at the front that somebody is writing.
    in_flight: usize,
    /// Nothing is written: the handshake is not answered, or the kernel takes no more.
    is_blocked: bool,
    /// Once set, nothing more is taken in.
    end: Option<End>,
}

/// What came of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// The connection is being closed already.
    Ignored,
    /// The client is behind by the whole queue: this push has closed it.
    Overflowed,
}

/// Frames to hand to the kernel, shared with the queue.
#[derive(Debug)]
pub enum Batch {
    /// The usual case: nothing but the frame, less what has left of it.
    One(Bytes),
    Many(Vec<Bytes>),
}

/// What a writer has to do.
#[derive(Debug)]
pub enum Turn {
    Write(Batch),
    /// Nothing waits, somebody else writes, or nobody can.
    Rest,
    /// All has left, and the connection is to be closed.
    Finish,
}

impl Outbox {
    /// Blocked until the handshake is answered.
    pub fn new() -> Self {
        let state = State {
            frames: VecDeque::new(),
            bytes: 0,
            written: 0,
            in_flight: 0,
            is_blocked: true,
            end: None,
        };
        Self { state: Mutex::new(state) }
    }

    /// Queues a frame. A client that is behind by the whole queue is closed with `TooSlow`, and
    /// what waited for it is dropped: it resumes from its feed.
    pub fn push(&self, frame: Bytes) -> Pushed {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return Pushed::Ignored;
        }
        let bytes = state.bytes + frame.len();
        // One frame may have any size, else a large notification would close everybody.
        let is_full = state.frames.len() >= SOCKET_QUEUE_FRAMES_MAX
            || (bytes > SOCKET_QUEUE_BYTES_MAX && !state.frames.is_empty());
        if is_full {
            state.drop_waiting();
            state.end = Some(shared::CloseCode::TooSlow.into());
            return Pushed::Overflowed;
        }
        state.bytes = bytes;
        state.frames.push_back(frame);
        Pushed::Queued
    }

    /// Queues a frame whatever waits already: for a part of a feed, which is bounded by itself.
    pub fn push_replay(&self, frame: Bytes) {
        let mut state = self.state.lock();
        if state.end.is_none() {
            state.bytes += frame.len();
            state.frames.push_back(frame);
        }
    }

    /// Puts the answer to the handshake in front of everything and lets writing begin.
    pub fn open(&self, answer: Bytes) {
        let mut state = self.state.lock();
        state.bytes += answer.len();
        state.frames.push_front(answer);
        state.is_blocked = false;
    }

    /// Asks for the end after what is queued; the first reason stays.
    pub fn close(&self, end: End) {
        self.state.lock().end.get_or_insert(end);
    }

    /// Queues the last frame, behind which there is only the end.
    pub fn push_last(&self, frame: Bytes) {
        let mut state = self.state.lock();
        state.bytes += frame.len();
        state.frames.push_back(frame);
    }

    /// The peer is gone: nothing that waits can be written.
    pub fn fail(&self) {
        let mut state = self.state.lock();
        state.in_flight = 0;
        state.written = 0;
        state.drop_waiting();
        state.is_blocked = false;
        state.end = Some(End::Gone);
    }

    /// The reason to close, also while frames still wait.
    pub fn end(&self) -> Option<End> {
        self.state.lock().end
    }

    pub fn is_blocked(&self) -> bool {
        self.state.lock().is_blocked
    }

    /// Frames and bytes that wait.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.frames.len(), state.bytes)
    }

    /// The kernel takes more.
    pub fn unblock(&self) {
        self.state.lock().is_blocked = false;
    }

    /// Takes the role of the writer if there is something to write and nobody has it. Whoever gets
    /// a batch has to say what came of it.
    pub fn turn(&self) -> Turn {
        let mut state = self.state.lock();
        if state.in_flight > 0 {
            return Turn::Rest;
        }
        let Some(first) = state.frames.front() else {
            return if state.end.is_some() { Turn::Finish } else { Turn::Rest };
        };
        if state.is_blocked {
            return Turn::Rest;
        }
        let first = first.slice(state.written..);
        state.in_flight = state.frames.len().min(SOCKET_WRITE_FRAMES_MAX);
        if state.in_flight == 1 {
            return Turn::Write(Batch::One(first));
        }
        let more = state.frames.iter().take(state.in_flight).skip(1).cloned();
        Turn::Write(Batch::Many(std::iter::once(first).chain(more).collect()))
    }

    /// So many bytes of the batch have left; gives the number of frames that are through.
    pub fn written(&self, mut bytes: usize) -> u64 {
        let mut frames = 0;
        let mut state = self.state.lock();
        state.in_flight = 0;
        bytes += state.written;
        while let Some(frame) = state.frames.front() {
            let length = frame.len();
            if bytes < length {
                break;
            }
            bytes -= length;
            state.bytes -= length;
            state.frames.pop_front();
            frames += 1;
        }
        // None are left also where the peer was found gone meanwhile.
        state.written = if state.frames.is_empty() { 0 } else { bytes };
        if state.frames.is_empty() && state.frames.capacity() > IDLE_CAPACITY_MAX {
            // An idle connection keeps no memory of its last burst.
            state.frames = VecDeque::new();
        }
        frames
    }

    /// The kernel takes nothing at the moment.
    pub fn block(&self) {
        let mut state = self.state.lock();
        state.in_flight = 0;
        state.is_blocked = true;
    }
}

/// Slots that an empty queue may keep: the smallest allocation, so that a connection that gets a
/// frame now and then does not allocate each time.
const IDLE_CAPACITY_MAX: usize = 4;

impl State {
    /// Drops what has not begun to leave: half a frame would spoil all that follows.
    fn drop_waiting(&mut self) {
        let begun = self.in_flight.max(usize::from(self.written > 0));
        self.frames.truncate(begun);
        self.bytes = self.frames.iter().map(Bytes::len).sum();
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use shared::CloseCode;

    use super::*;

    fn outbox() -> Outbox {
        let outbox = Outbox::new();
        outbox.open(Bytes::new());
        outbox.written(0);
        outbox
    }

    fn write(outbox: &Outbox) -> Vec<u8> {
        match outbox.turn() {
            Turn::Write(Batch::One(frame)) => frame.to_vec(),
            Turn::Write(Batch::Many(frames)) => frames.concat(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_leaves_before_the_handshake_is_answered() {
        let outbox = Outbox::new();
        outbox.push("a".into());
        assert!(matches!(outbox.turn(), Turn::Rest));
        outbox.open("head".into());
        assert_eq!(write(&outbox), b"heada");
    }

    #[test]
    fn what_arrives_together_leaves_together_and_in_order() {
        let outbox = outbox();
        for frame in ["a", "bb", "ccc"] {
            assert_eq!(outbox.push(frame.into()), Pushed::Queued);
        }
        assert_eq!(write(&outbox), b"abbccc");
        // Somebody writes: a second writer would overtake it.
        outbox.push("d".into());
        assert!(matches!(outbox.turn(), Turn::Rest));
        outbox.written(2);
        assert_eq!(write(&outbox), b"bcccd");
        outbox.block();
        assert!(matches!(outbox.turn(), Turn::Rest));
        outbox.unblock();
        assert_eq!(write(&outbox), b"bcccd");
        outbox.written(5);
        assert!(matches!(outbox.turn(), Turn::Rest));
        assert_eq!(outbox.depth(), (0, 0));
    }

    #[test]
    fn is_bounded_in_frames_and_in_bytes() {
        let outbox = outbox();
        let full =
            (0..=SOCKET_QUEUE_FRAMES_MAX).find(|_| outbox.push("x".into()) == Pushed::Overflowed);
        assert_eq!(full, Some(SOCKET_QUEUE_FRAMES_MAX));
        assert_eq!(outbox.end(), Some(CloseCode::TooSlow.into()));
        assert_eq!(outbox.depth(), (0, 0));

        let outbox = super::tests::outbox();
        assert_eq!(outbox.push("x".repeat(SOCKET_QUEUE_BYTES_MAX + 1).into()), Pushed::Queued);
        assert_eq!(outbox.push("x".into()), Pushed::Overflowed);
    }

    #[test]
    fn a_frame_that_has_begun_to_leave_is_finished() {
        let outbox = outbox();
        outbox.push("abc".into());
        assert_eq!(write(&outbox), b"abc");
        outbox.written(1);
        outbox.block();
        while outbox.push("x".into()) == Pushed::Queued {}
        outbox.unblock();
        assert_eq!(write(&outbox), b"bc");
        outbox.written(2);
        assert!(matches!(outbox.turn(), Turn::Finish));
    }

    #[test]
    fn the_first_reason_stays_and_nothing_follows_it_but_the_last_frame() {
        let outbox = outbox();
        outbox.push("last".into());
        outbox.close(CloseCode::Restart.into());
        outbox.close(CloseCode::TooSlow.into());
        assert_eq!(outbox.push("later".into()), Pushed::Ignored);
        assert_eq!(outbox.end(), Some(CloseCode::Restart.into()));
        outbox.push_last("!".into());
        assert_eq!(write(&outbox), b"last!");
        outbox.written(5);
        assert!(matches!(outbox.turn(), Turn::Finish));
    }
}
