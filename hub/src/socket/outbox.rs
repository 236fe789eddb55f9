//! The queue of one connection: bounded frames, the current writer, and the reason to close, if
//! any. No I/O; [`crate::socket::connection`] writes.
//!
//! A delivering thread writes at once, without waking the connection's task. The lock is held for
//! adding and taking, never during a system call. There is one writer at a time; its frames stay at
//! the front until it is known how many bytes were sent.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::limits::{SOCKET_QUEUE_BYTES_MAX, SOCKET_QUEUE_FRAMES_MAX, SOCKET_WRITE_FRAMES_MAX};
use crate::socket::end::End;
use crate::socket::total_queued::TotalQueued;
use queue::Queue;

mod queue;

/// The queue of one connection; see the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    // A blocking lock, held to add or to take.
    state: Mutex<State>,
    /// Shared by all sockets.
    queued: Arc<TotalQueued>,
}

#[derive(Debug)]
struct State {
    frames: Queue,
    /// Bytes of all frames, including the sent part of the first.
    bytes: usize,
    /// Sent bytes of the first frame.
    written: usize,
    /// Frames at the front that are being written.
    in_flight: usize,
    /// Writing is suspended: the handshake is unanswered, or the kernel's buffer is full.
    is_blocked: bool,
    /// Once set, no further frame is accepted.
    end: Option<End>,
    /// The part of `bytes` that is counted in the total of all sockets.
    counted: usize,
}

/// What became of an added frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// The connection is already closing.
    Ignored,
    /// The queue is full, or it is not empty while the total of all queues is at its limit:
    /// adding the frame closed the connection.
    Overflowed,
}

/// Frames to pass to the kernel, shared with the queue.
#[derive(Debug)]
pub(crate) enum Batch {
    /// The usual case: one frame, without the part already sent.
    One(Bytes),
    Many(Vec<Bytes>),
}

/// The writer's next step.
#[derive(Debug)]
pub(crate) enum Turn {
    Write(Batch),
    /// Nothing is queued, another thread is writing, or writing is suspended.
    Rest,
    /// Everything was sent, and the connection is to be closed.
    Finish,
}

impl Outbox {
    /// An empty queue, suspended until the handshake is answered.
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

    /// Queues a frame. A client whose queue is full is closed with `TooSlow`, and its unsent frames
    /// are dropped: it resumes from its feed.
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return Pushed::Ignored;
        }
        let bytes = state.bytes + frame.len();
        // An empty queue accepts a frame of any size, else one large notification would close every
        // socket.
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

    /// Queues a frame regardless of this queue's limit: for the parts of a feed, whose size has a
    /// limit of its own.
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

    /// Whether this queue is suspended and not empty while the total of all queues is at its limit.
    fn leaves_no_room(&self, state: &State) -> bool {
        state.is_blocked && !state.frames.is_empty() && self.queued.is_full()
    }

    fn overflow(&self, state: &mut State) -> Pushed {
        state.drop_waiting();
        state.end = Some(shared::CloseCode::TooSlow.into());
        state.count(&self.queued);
        Pushed::Overflowed
    }

    /// Puts the handshake's answer at the front and starts writing.
    pub(crate) fn open(&self, answer: Bytes) {
        let mut state = self.state.lock();
        state.bytes += answer.len();
        state.frames.push_front(answer);
        state.is_blocked = false;
        state.count(&self.queued);
    }

    /// Requests the close after the queued frames; the first reason is kept.
    pub(crate) fn close(&self, end: End) {
        self.state.lock().end.get_or_insert(end);
    }

    /// Queues the last frame before the end.
    pub(crate) fn push_last(&self, frame: Bytes) {
        let mut state = self.state.lock();
        state.bytes += frame.len();
        state.frames.push_back(frame);
    }

    /// Records that the peer is gone: queued frames can never be sent.
    pub(crate) fn fail(&self) {
        let mut state = self.state.lock();
        state.in_flight = 0;
        state.written = 0;
        state.drop_waiting();
        state.is_blocked = false;
        state.end = Some(End::Gone);
        state.count(&self.queued);
    }

    /// The reason to close, even while frames are queued.
    pub(crate) fn end(&self) -> Option<End> {
        self.state.lock().end
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.state.lock().is_blocked
    }

    /// Queued frames and bytes.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.frames.len(), state.bytes)
    }

    /// Resumes writing: the kernel accepts more.
    pub(crate) fn unblock(&self) {
        let mut state = self.state.lock();
        state.is_blocked = false;
        state.count(&self.queued);
    }

    /// Takes the role of the writer if there are frames and no writer. A caller that gets a batch
    /// must report its result.
    pub(crate) fn turn(&self) -> Turn {
        self.state.lock().turn()
    }

    /// Reports sent bytes of the batch. Returns the number of frames completely sent, and the
    /// writer's next step.
    pub(crate) fn written(&self, bytes: usize) -> (u64, Turn) {
        let mut state = self.state.lock();
        let frames = state.advance(bytes);
        (frames, state.turn())
    }

    /// Reports that the kernel's buffer is full.
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
    /// Updates the shared total: this queue's bytes while it is suspended, none otherwise.
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

    /// Ends the writer's turn after `bytes` were sent; returns the number of frames completely
    /// sent.
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
        // The queue is also empty if the peer was found gone in the meantime.
        self.written = if self.frames.is_empty() { 0 } else { bytes };
        frames
    }

    /// Drops the frames not begun: a partial frame would corrupt the stream.
    fn drop_waiting(&mut self) {
        let begun = self.in_flight.max(usize::from(self.written > 0));
        self.frames.truncate(begun);
        self.bytes = self.frames.iter().map(Bytes::len).sum();
    }
}

#[cfg(test)]
mod tests;
