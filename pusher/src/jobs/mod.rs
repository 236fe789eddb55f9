//! Pushes of single notifications: claims what is due from the functions, sends it, and settles it.
//!
//! A job stays in the record until it is settled, so nothing here needs to survive. Results that
//! cannot be told while the functions are away wait, and nothing more is claimed meanwhile.

mod job;
mod settler;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::job::Task;
pub(crate) use self::settler::Settler;
use crate::functions::Api;
use crate::functions::wire::Claimed;
use crate::limits::{FUNCTIONS_RETRY, JOB_CLAIMS_MAX, JOB_POLL, JOBS_PER_CLAIM};
use crate::metrics::Metrics;
use crate::sending::{Guards, Scope, Sending};

/// What the loop needs.
pub(crate) struct Jobs {
    pub(crate) api: Arc<Api>,
    pub(crate) sending: Arc<Sending>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) settler: Settler,
    pub(crate) lease: Duration,
    /// Longest time of one push.
    pub(crate) push_time: Duration,
}

impl Jobs {
    /// Claims and sends until `stop`; returns when what was claimed is with the settler.
    pub(crate) async fn run(self, woken: Arc<Notify>, stop: CancellationToken) {
        let claims = Arc::new(Semaphore::new(JOB_CLAIMS_MAX));
        let guards = Arc::new(Guards::new(Scope::Jobs));
        let tasks = TaskTracker::new();
        loop {
            let turn = tokio::select! {
                () = stop.cancelled() => break,
                turn = claims.clone().acquire_owned() => turn,
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.settler.caught_up() => {}
            }
            let began = Instant::now();
            let wait = match self.api.claim(JOBS_PER_CLAIM, self.lease).await {
                Ok(claimed) => {
                    let wait = pause(&claimed);
                    self.metrics.oldest_due(oldest_ms(&claimed));
                    if !claimed.jobs.is_empty() {
                        let sending = self.send(claimed, began, guards.clone(), stop.clone());
                        tasks.spawn(async move {
                            sending.await;
                            drop(turn);
                        });
                    }
                    wait
                }
                Err(error) if error.is_final() => JOB_POLL,
                Err(_) => FUNCTIONS_RETRY,
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = woken.notified() => {}
                () = sleep(wait) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Sends all jobs of a claim.
    fn send(
        &self,
        claimed: Claimed,
        began: Instant,
        guards: Arc<Guards>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (sending, metrics) = (self.sending.clone(), self.metrics.clone());
        let (settler, lease_end) = (self.settler.clone(), began + self.lease);
        let last_start = began + self.lease.saturating_sub(self.push_time);
        async move {
            let task = Task {
                sending: &sending,
                metrics: &metrics,
                guards: &guards,
                lease_end,
                last_start,
                stop,
            };
            let mut jobs: FuturesUnordered<_> =
                claimed.jobs.iter().map(|job| task.run(job)).collect();
            while let Some(settled) = jobs.next().await {
                if let Some(settled) = settled {
                    settler.settle(settled).await;
                }
            }
        }
    }
}

/// Milliseconds since the oldest of the claimed notifications was created: what a backlog grows by.
fn oldest_ms(claimed: &Claimed) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let created = claimed.jobs.iter().map(|job| job.created_at_ms).min();
    created.map_or(0, |created_ms| now_ms.saturating_sub(created_ms))
}

/// The wait until the next claim.
fn pause(claimed: &Claimed) -> Duration {
    // As many as were asked for: there may be more.
    if claimed.jobs.len() + claimed.skipped >= JOBS_PER_CLAIM {
        return Duration::ZERO;
    }
    let next = claimed.next_due_ms.map_or(JOB_POLL, Duration::from_millis);
    next.min(JOB_POLL)
}
