//! Tells the functions what became of jobs, many in a call. While the functions are away, results
//! wait; the number of claims under way bounds them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::functions::Api;
use crate::functions::wire::Settled;
use crate::limits::{FUNCTIONS_RETRY, JOB_CLAIMS_MAX, JOBS_PER_CLAIM, SETTLE_EVERY, SETTLE_MAX};

/// Takes results.
#[derive(Clone)]
pub(crate) struct Settler {
    results: mpsc::Sender<Settled>,
    is_behind: watch::Receiver<bool>,
}

/// The other end of a [`Settler`].
pub(crate) struct Settling {
    results: mpsc::Receiver<Settled>,
    is_behind: watch::Sender<bool>,
}

impl Settler {
    pub(crate) fn new() -> (Self, Settling) {
        let (sender, results) = mpsc::channel(JOBS_PER_CLAIM * JOB_CLAIMS_MAX);
        let (behind, is_behind) = watch::channel(false);
        (Self { results: sender, is_behind }, Settling { results, is_behind: behind })
    }

    pub(super) async fn settle(&self, result: Settled) {
        // The other end lives until all of these are gone.
        let _ = self.results.send(result).await;
    }

    /// Resolves when no settlement is failing: a claim before it could get the same jobs again.
    pub(super) async fn caught_up(&self) {
        let mut is_behind = self.is_behind.clone();
        let _ = is_behind.wait_for(|is_behind| !is_behind).await;
    }
}

impl Settling {
    /// Settles until all senders are gone and everything is told.
    pub(crate) async fn run(mut self, api: Arc<Api>) {
        while let Some(batch) = self.batch().await {
            let mut batch = batch.as_slice();
            while !batch.is_empty() {
                let (now, later) = batch.split_at(batch.len().min(SETTLE_MAX));
                self.tell(&api, now).await;
                batch = later;
            }
        }
    }

    /// The results of a short while; `None` at the end.
    async fn batch(&mut self) -> Option<Vec<Settled>> {
        let mut batch = vec![self.results.recv().await?];
        let end = Instant::now() + SETTLE_EVERY;
        while batch.len() < SETTLE_MAX {
            match timeout_at(end, self.results.recv()).await {
                Ok(Some(result)) => batch.push(result),
                Ok(None) | Err(_) => break,
            }
        }
        Some(batch)
    }

    async fn tell(&self, api: &Api, batch: &[Settled]) {
        let mut wait = Duration::ZERO;
        loop {
            sleep(wait).await;
            match api.settle(batch).await {
                Ok(()) => break,
                Err(error) if is_malformed(&error) => {
                    // The leases end, and the jobs are claimed again.
                    tracing::error!(%error, jobs = batch.len(), "the functions take no results");
                    break;
                }
                Err(_) => {
                    self.is_behind.send_replace(true);
                    wait = FUNCTIONS_RETRY;
                }
            }
        }
        self.is_behind.send_replace(false);
    }
}

/// Whether the same call would be refused again whatever an operator does.
fn is_malformed(error: &native::functions::CallError) -> bool {
    use native::functions::CallError::Refused;
    matches!(error, Refused(status) if [400, 404, 413, 422].contains(&status.as_u16()))
}
