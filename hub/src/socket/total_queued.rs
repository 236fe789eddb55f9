//! The bytes queued for all sockets together, bounded so that many slow readers cannot exhaust
//! memory: each socket has a limit of its own, but 10,000 times 2 MiB exceed most machines' memory.
//!
//! Counts only what the kernel does not accept, which is nothing for nearly every socket at any
//! time: a socket that can be written to at once touches no shared counter.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::QUEUED_BYTES_MAX;

/// The total; see the module.
#[derive(Debug)]
pub struct TotalQueued {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl TotalQueued {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max }
    }

    /// Whether the limit is reached. Then sockets with a queue are closed instead of queueing more,
    /// and resume from their feeds.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.bytes_max
    }

    /// Replaces a socket's count of `before` by `now`.
    pub(crate) fn replace(&self, before: usize, now: usize) {
        if now > before {
            self.bytes.fetch_add(now - before, Ordering::Relaxed);
        } else if before > now {
            self.bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// The bytes that the kernel does not accept yet.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Default for TotalQueued {
    fn default() -> Self {
        Self::new(QUEUED_BYTES_MAX)
    }
}
