//! Tells the functions what became of jobs, many in a call. While the functions are away, results
//! wait; the number of claims under way bounds them.

use std::sync::Arc;
use std::time::Duration;

use native::functions::CallError;
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

    /// A batch that is refused for what is in it is told in halves, down to the single results that
    /// are refused.
    async fn tell(&self, api: &Api, batch: &[Settled]) {
        let mut left = vec![batch];
        while let Some(some) = left.pop() {
            let Some(error) = self.refused(api, some).await else { continue };
            if some.len() > 1 && is_about_content(&error) {
                let (first, second) = some.split_at(some.len() / 2);
                left.extend([second, first]);
            } else {
                // The leases end, and the jobs are claimed again.
                tracing::error!(%error, jobs = some.len(), "the functions take no results");
            }
        }
    }

    /// Repeats the call until the functions take the results, or refuse them for ever: the error.
    async fn refused(&self, api: &Api, results: &[Settled]) -> Option<CallError> {
        let mut wait = Duration::ZERO;
        let refused = loop {
            sleep(wait).await;
            match api.settle(results).await {
                Ok(()) => break None,
                Err(error) if is_malformed(&error) => break Some(error),
                Err(_) => {
                    self.is_behind.send_replace(true);
                    wait = FUNCTIONS_RETRY;
                }
            }
        };
        self.is_behind.send_replace(false);
        refused
    }
}

/// Whether the same call would be refused again whatever an operator does.
fn is_malformed(error: &CallError) -> bool {
    is_about_content(error) || matches!(error, CallError::Refused(status) if *status == 404)
}

/// Whether a part of the call may be taken.
fn is_about_content(error: &CallError) -> bool {
    matches!(error, CallError::Refused(status) if [400, 413, 422].contains(&status.as_u16()))
}
