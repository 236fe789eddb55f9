//! Owns how many requests are served at the same time, and who waits for a turn.
//!
//! Spin has no such limit. Beyond its engine's room for 1,000 tasks an instance fails, and up to 16
//! requests with it, some of them after they have committed. This host refuses in time instead:
//! whoever is answered 503 here has changed nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A burst that the components are through with in this time is served whole.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Each holds a connection and the head of a request, about 10 KiB.
const WAITING_MAX: usize = 4_000;

/// A turn; it ends when this is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Turns, given out in the order in which they are asked for.
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

    /// `None`: there is none in time.
    pub(crate) async fn take(&self) -> Option<Turn> {
        if let Ok(turn) = self.free.clone().try_acquire_owned() {
            return Some(turn);
        }
        let _waiting = Waiting::begin(&self.waiting)?;
        timeout(self.wait_max, self.free.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Counts one who waits, also when its client goes away meanwhile.
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
            assert_eq!(turns.waiting.load(Ordering::Relaxed), 1, "the third one waits still");
            drop(second);
        };
        let third = async { turns.take().await.is_some() };
        let (_, is_served, ()) = tokio::join!(biased; second, third, async { drop(first) });
        assert!(is_served);
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_and_the_line_is_bounded() {
        let turns = Turns { wait_max: Duration::from_millis(1), ..Turns::new(1) };
        let _first = turns.take().await;
        assert!(turns.take().await.is_none());
        let turns = Turns { wait_max: Duration::from_secs(60), ..Turns::new(1) };
        let _first = turns.take().await;
        turns.waiting.store(WAITING_MAX, Ordering::Relaxed);
        assert!(turns.take().await.is_none());
    }
}
