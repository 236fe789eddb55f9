//! The last 15 minutes, a snapshot a second: a viewer sees them from the first moment.

use std::collections::VecDeque;

use crate::console::snapshot::Snapshot;

/// Snapshots kept: 15 minutes.
pub(super) const KEPT: usize = 900;
/// A snapshot has about 340 bytes, so the ring has 300 KiB, from the start and for good.
const RING_BYTES_MAX: usize = 360 * 1024;
const _: () = assert!(size_of::<Snapshot>() * KEPT <= RING_BYTES_MAX);

/// The snapshots, oldest first.
pub(super) struct Ring(VecDeque<Snapshot>);

impl Ring {
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(KEPT))
    }

    /// Adds the newest snapshot; the oldest leaves a full ring.
    pub(super) fn push(&mut self, snapshot: Snapshot) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(snapshot);
    }

    pub(super) fn snapshots(&self) -> Vec<Snapshot> {
        self.0.iter().cloned().collect()
    }
}
