//! How long a block is this worker's, and whether pushes may still begin.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// The part of a lease at whose end nothing begins any more: the clocks of Redis and worker run
/// apart a little, and a claim takes its time.
const MARGIN: u32 = 6;

/// Shared by the task that sends and the one that settles.
#[derive(Debug)]
pub(super) struct Lease {
    start: Instant,
    length: Duration,
    /// Milliseconds after `start`.
    end_ms: AtomicU64,
    /// The block is not this worker's any more, or the campaign does not run.
    is_called_off: AtomicBool,
    stop: CancellationToken,
}

impl Lease {
    /// Of a claim that was sent at `began`.
    pub(super) fn new(length: Duration, began: Instant, stop: CancellationToken) -> Self {
        let lease = Self {
            start: began,
            length,
            end_ms: AtomicU64::new(0),
            is_called_off: AtomicBool::new(false),
            stop,
        };
        lease.renew(began);
        lease
    }

    /// Renewed by a call that was sent at `began`.
    pub(super) fn renew(&self, began: Instant) {
        let end = began.saturating_duration_since(self.start) + self.length - self.length / MARGIN;
        self.end_ms.store(u64::try_from(end.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn call_off(&self) {
        self.is_called_off.store(true, Relaxed);
    }

    /// Whether another push of the block may begin.
    pub(super) fn may_start(&self) -> bool {
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        !self.is_called_off.load(Relaxed)
            && !self.stop.is_cancelled()
            && now_ms < self.end_ms.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_at_the_end_of_a_lease_unless_it_is_renewed() {
        let (length, stop) = (Duration::from_secs(60), CancellationToken::new());
        let long_ago = Instant::now().checked_sub(Duration::from_secs(51)).unwrap();
        let lease = Lease::new(length, long_ago, stop.clone());
        assert!(!lease.may_start());
        lease.renew(Instant::now());
        assert!(lease.may_start());
        stop.cancel();
        assert!(!lease.may_start());
        let lease = Lease::new(length, Instant::now(), CancellationToken::new());
        lease.call_off();
        assert!(!lease.may_start());
    }
}
