//! What waits for all sockets together, so that a crowd that reads slowly cannot take the process'
//! memory: each socket has a bound of its own, but 10,000 times 2 MiB are more than most machines
//! have.
//!
//! Counted is only what the kernel does not take, which is nothing for nearly every socket at any
//! time: whoever is written to at once touches no shared number.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::QUEUED_BYTES_MAX;

/// See the module.
#[derive(Debug)]
pub struct TotalQueued {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl TotalQueued {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max }
    }

    /// Who is behind already gets nothing more: they are closed, and resume from their feeds.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.bytes_max
    }

    /// Counts `now` for somebody instead of `before`.
    pub(crate) fn replace(&self, before: usize, now: usize) {
        if now > before {
            self.bytes.fetch_add(now - before, Ordering::Relaxed);
        } else if before > now {
            self.bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Default for TotalQueued {
    fn default() -> Self {
        Self::new(QUEUED_BYTES_MAX)
    }
}
