//! What waits for one connection: a bounded queue of frames, who is writing them, and the reason to
//! close if there is one. Decisions only; [`crate::socket::connection`] does the writing.
//!
//! Whoever delivers writes at once, without waking the connection's task; the lock is held for
//! pushes and pops, never while the kernel is called. One writer at a time, and what it is writing
//! stays at the front until it is known how much of it has left.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::limits::{SOCKET_QUEUE_BYTES_MAX, SOCKET_QUEUE_FRAMES_MAX, SOCKET_WRITE_FRAMES_MAX};
use crate::socket::end::End;
use crate::socket::total_queued::TotalQueued;
use queue::Queue;

mod queue;

/// See the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    // A plain lock: both sides hold it for a push or a pop.
    state: Mutex<State>,
    /// Shared by all.
    queued: Arc<TotalQueued>,
}

#[derive(Debug)]
struct State {
    frames: Queue,
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
    /// Of `bytes`, what is counted among those of all sockets.
    counted: usize,
}

/// What came of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// The connection is being closed already.
    Ignored,
    /// The client is behind by the whole queue, or by anything while all queues together are full:
    /// this push has closed it.
    Overflowed,
}

/// Frames to hand to the kernel, shared with the queue.
#[derive(Debug)]
pub(crate) enum Batch {
    /// The usual case: nothing but the frame, less what has left of it.
    One(Bytes),
    Many(Vec<Bytes>),
}

/// What a writer has to do.
#[derive(Debug)]
pub(crate) enum Turn {
    Write(Batch),
    /// Nothing waits, somebody else writes, or nobody can.
    Rest,
    /// All has left, and the connection is to be closed.
    Finish,
}

impl Outbox {
    /// Blocked until the handshake is answered.
    pub(crate) fn new(queued: Arc<TotalQueued>) -> Self {
        let state = State {
            frames: Queue::default(),
            bytes: 0,
            written: 0,
            in_flight: 0,
            is_blocked: true,
            end: None,
            counted: 0,
        };
        Self { state: Mutex::new(state), queued }
    }

    /// Queues a frame. A client that is behind by the whole queue is closed with `TooSlow`, and
    /// what waited for it is dropped: it resumes from its feed.
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return Pushed::Ignored;
        }
        let bytes = state.bytes + frame.len();
        // One frame may have any size, else a large notification would close everybody.
        let is_full = state.frames.len() >= SOCKET_QUEUE_FRAMES_MAX
            || (bytes > SOCKET_QUEUE_BYTES_MAX && !state.frames.is_empty());
        if is_full || self.leaves_no_room(&state) {
            return self.overflow(&mut state);
        }
        state.bytes = bytes;
        state.frames.push_back(frame);
        state.count(&self.queued);
        Pushed::Queued
    }

    /// Queues a frame whatever waits for this client already: for a part of a feed, which is bounded
    /// by itself.
    pub(crate) fn push_replay(&self, frame: Bytes) -> Pushed {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return Pushed::Ignored;
        }
        if self.leaves_no_room(&state) {
            return self.overflow(&mut state);
        }
        state.bytes += frame.len();
        state.frames.push_back(frame);
        state.count(&self.queued);
        Pushed::Queued
    }

    /// Whether something waits for this client and too much for all of them.
    fn leaves_no_room(&self, state: &State) -> bool {
        state.is_blocked && !state.frames.is_empty() && self.queued.is_full()
    }

    fn overflow(&self, state: &mut State) -> Pushed {
        state.drop_waiting();
        state.end = Some(shared::CloseCode::TooSlow.into());
        state.count(&self.queued);
        Pushed::Overflowed
    }

    /// Puts the answer to the handshake in front of everything and lets writing begin.
    pub(crate) fn open(&self, answer: Bytes) {
        let mut state = self.state.lock();
        state.bytes += answer.len();
        state.frames.push_front(answer);
        state.is_blocked = false;
        state.count(&self.queued);
    }

    /// Asks for the end after what is queued; the first reason stays.
    pub(crate) fn close(&self, end: End) {
        self.state.lock().end.get_or_insert(end);
    }

    /// Queues the last frame, behind which there is only the end.
    pub(crate) fn push_last(&self, frame: Bytes) {
        let mut state = self.state.lock();
        state.bytes += frame.len();
        state.frames.push_back(frame);
    }

    /// The peer is gone: nothing that waits can be written.
    pub(crate) fn fail(&self) {
        let mut state = self.state.lock();
        state.in_flight = 0;
        state.written = 0;
        state.drop_waiting();
        state.is_blocked = false;
        state.end = Some(End::Gone);
        state.count(&self.queued);
    }

    /// The reason to close, also while frames still wait.
    pub(crate) fn end(&self) -> Option<End> {
        self.state.lock().end
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.state.lock().is_blocked
    }

    /// Frames and bytes that wait.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.frames.len(), state.bytes)
    }

    /// The kernel takes more.
    pub(crate) fn unblock(&self) {
        let mut state = self.state.lock();
        state.is_blocked = false;
        state.count(&self.queued);
    }

    /// Takes the role of the writer if there is something to write and nobody has it. Whoever gets
    /// a batch has to say what came of it.
    pub(crate) fn turn(&self) -> Turn {
        self.state.lock().turn()
    }

    /// So many bytes of the batch have left. Gives the number of frames that are through, and what
    /// the writer has to do next.
    pub(crate) fn written(&self, bytes: usize) -> (u64, Turn) {
        let mut state = self.state.lock();
        let frames = state.advance(bytes);
        (frames, state.turn())
    }

    /// The kernel takes nothing at the moment.
    pub(crate) fn block(&self) {
        let mut state = self.state.lock();
        state.in_flight = 0;
        state.is_blocked = true;
        state.count(&self.queued);
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        self.queued.replace(state.counted, 0);
    }
}

impl State {
    /// Brings the shared count up to date: with all of this queue while nothing of it leaves, with
    /// nothing otherwise.
    fn count(&mut self, queued: &TotalQueued) {
        let counted = if self.is_blocked { self.bytes } else { 0 };
        if counted != self.counted {
            queued.replace(self.counted, counted);
            self.counted = counted;
        }
    }

    fn turn(&mut self) -> Turn {
        if self.in_flight > 0 {
            return Turn::Rest;
        }
        let Some(first) = self.frames.first() else {
            return if self.end.is_some() { Turn::Finish } else { Turn::Rest };
        };
        if self.is_blocked {
            return Turn::Rest;
        }
        let first = first.slice(self.written..);
        self.in_flight = self.frames.len().min(SOCKET_WRITE_FRAMES_MAX);
        if self.in_flight == 1 {
            return Turn::Write(Batch::One(first));
        }
        let more = self.frames.iter().take(self.in_flight).skip(1).cloned();
        Turn::Write(Batch::Many(std::iter::once(first).chain(more).collect()))
    }

    /// The writer is done, and so many bytes have left; gives the number of frames that are through.
    fn advance(&mut self, mut bytes: usize) -> u64 {
        let mut frames = 0;
        self.in_flight = 0;
        bytes += self.written;
        while let Some(frame) = self.frames.first() {
            let length = frame.len();
            if bytes < length {
                break;
            }
            bytes -= length;
            self.bytes -= length;
            self.frames.drop_first();
            frames += 1;
        }
        // None are left also where the peer was found gone meanwhile.
        self.written = if self.frames.is_empty() { 0 } else { bytes };
        frames
    }

    /// Drops what has not begun to leave: half a frame would spoil all that follows.
    fn drop_waiting(&mut self) {
        let begun = self.in_flight.max(usize::from(self.written > 0));
        self.frames.truncate(begun);
        self.bytes = self.frames.iter().map(Bytes::len).sum();
    }
}

#[cfg(test)]
mod tests;
