//! Limits the number of concurrent requests; further ones wait for a turn.
//!
//! Spin has no such limit: beyond its engine's room for 1,000 tasks an instance fails with up to 16
//! requests, some of which have already committed. This host rejects in time instead: a request
//! that is answered 503 here has changed nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A burst that the components finish within this time is served whole.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Each holds a connection and a request head, about 10 KiB.
const WAITING_MAX: usize = 4_000;

/// A turn, released when dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Turns, granted in the order of the requests.
pub(crate) struct Turns {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    wait_max: Duration,
}

impl Turns {
    pub(crate) fn new(count: usize) -> Self {
        let free = Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { free, waiting: AtomicUsize::new(0), wait_max: WAIT_MAX }
    }

    /// `None` if no turn was free in time.
    pub(crate) async fn take(&self) -> Option<Turn> {
        if let Ok(turn) = self.free.clone().try_acquire_owned() {
            return Some(turn);
        }
        let _waiting = Waiting::begin(&self.waiting)?;
        timeout(self.wait_max, self.free.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Counts a waiting request, also if its client disconnects meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_order() {
        let turns = Turns { wait_max: Duration::from_secs(60), ..Turns::new(1) };
        let first = turns.take().await;
        let second = async {
            let second = turns.take().await;
            assert_eq!(turns.waiting.load(Ordering::Relaxed), 1, "the third one still waits");
            drop(second);
        };
        let third = async { turns.take().await.is_some() };
        let (_, is_served, ()) = tokio::join!(biased; second, third, async { drop(first) });
        assert!(is_served);
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn waiting_is_limited_in_time_and_number() {
        let turns = Turns { wait_max: Duration::from_millis(1), ..Turns::new(1) };
        let _first = turns.take().await;
        assert!(turns.take().await.is_none());
        let turns = Turns { wait_max: Duration::from_secs(60), ..Turns::new(1) };
        let _first = turns.take().await;
        turns.waiting.store(WAITING_MAX, Ordering::Relaxed);
        assert!(turns.take().await.is_none());
    }
}
