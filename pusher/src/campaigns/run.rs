//! Goes through one campaign: claims blocks as fast as Redis gives them, and sends a few at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use native::backoff::Backoff;
use shared::campaign_push::index::Pushing;
use shared::campaign_push::{Block, Claim, Claimed, State};
use shared::limits::CAMPAIGN_CLAIM_MAX;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Parts;
use super::block::{Behind, Task};
use super::lease::Lease;
use super::plan::Plan;
use crate::limits::{BLOCKS_MAX, CAMPAIGN_TICK, TOUCH_EVERY};
use crate::sending::{Guards, Scope};

struct Run<'a> {
    parts: &'a Parts,
    pushing: &'a Pushing,
    rev: i64,
    plan: Option<Arc<Plan>>,
    guards: Arc<Guards>,
    blocks: JoinSet<()>,
    behind: Arc<Behind>,
    touched: Instant,
}

/// Until nothing is left to do for this worker, or it ends; blocks under way are settled then.
pub(super) async fn run(parts: &Parts, pushing: &Pushing) {
    let mut run = Run {
        parts,
        pushing,
        rev: 0,
        plan: None,
        guards: guards(pushing),
        blocks: JoinSet::new(),
        behind: Arc::default(),
        touched: Instant::now(),
    };
    while let Some(wait) = run.step().await {
        run.pause(wait).await;
    }
    while run.blocks.join_next().await.is_some() {}
}

/// Whether nothing can come before the next look.
fn is_idle(state: State, wait: Option<Duration>) -> bool {
    matches!(state, State::Scheduled | State::Paused) && wait.is_some_and(|it| it >= CAMPAIGN_TICK)
}

fn guards(pushing: &Pushing) -> Arc<Guards> {
    Arc::new(Guards::new(Scope::Campaign(pushing.campaign.to_string())))
}

impl Run<'_> {
    /// One claim; returns the time until the next one, `None` at the end.
    async fn step(&mut self) -> Option<Duration> {
        while self.blocks.try_join_next().is_some() {}
        if self.blocks.len() >= BLOCKS_MAX || self.behind.is_any() {
            return Some(CAMPAIGN_TICK);
        }
        let (claimed, began) = self.claim().await?;
        self.keep_listed(claimed.state).await;
        if claimed.state == State::Running && self.guards.has_tripped() && self.blocks.is_empty() {
            // It was paused, and an operator resumed it.
            self.guards = guards(self.pushing);
        }
        self.rev = claimed.rev;
        if let Some(options) = claimed.options {
            self.plan = Plan::new(options).map(Arc::new);
        }
        match (claimed.block, self.plan.clone()) {
            (Some(block), Some(plan)) => {
                self.begin(block, plan, began);
                // The time until a full claim is worth its cost; more blocks may wait already.
                Some(claimed.wait.unwrap_or_default())
            }
            (Some(block), None) => {
                // Another version's options: its lease ends, and a worker of that version takes it.
                tracing::error!(campaign = %block.campaign(), "the options are unknown");
                None
            }
            (None, _) if claimed.wait.is_none() && self.blocks.is_empty() => {
                let _ = self.parts.store.forget(self.pushing).await;
                None
            }
            // Another one may need its place; the next look begins it anew.
            (None, _) if is_idle(claimed.state, claimed.wait) && self.blocks.is_empty() => {
                let _ = self.parts.store.touch(self.pushing).await;
                None
            }
            (None, _) => Some(claimed.wait.unwrap_or(CAMPAIGN_TICK).min(CAMPAIGN_TICK)),
        }
    }

    /// Sends one claim until it is answered, unchanged: a reply that was lost brings the same
    /// block. `None` if the worker ends, or if Redis refuses the call: the next look tries again.
    async fn claim(&self) -> Option<(Claimed, Instant)> {
        let pace = self.parts.pace;
        let claim =
            Claim::new(self.pushing.campaign.clone(), nonce()?, CAMPAIGN_CLAIM_MAX, self.rev)
                .with_times(pace.block_lease_ms, pace.ramp_ms);
        let mut backoff = Backoff::default();
        loop {
            if self.parts.stop.is_cancelled() {
                return None;
            }
            let began = Instant::now();
            match self.parts.store.claim(&claim).await {
                Ok(claimed) => return Some((claimed, began)),
                Err(error) if !error.is_away() => {
                    let campaign = &self.pushing.campaign;
                    tracing::error!(%campaign, %error, "a campaign cannot be claimed from");
                    return None;
                }
                Err(error) => {
                    tracing::debug!(%error, "a campaign cannot be claimed from");
                    sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// The index forgets campaigns that are no longer used.
    async fn keep_listed(&mut self, state: State) {
        let is_under_way = matches!(state, State::Scheduled | State::Running | State::Paused);
        if is_under_way && self.touched.elapsed() >= TOUCH_EVERY {
            self.touched = Instant::now();
            let _ = self.parts.store.touch(self.pushing).await;
        }
    }

    fn begin(&mut self, block: Block, plan: Arc<Plan>, began: Instant) {
        let parts = self.parts.clone();
        let length = Duration::from_millis(parts.pace.block_lease_ms.unsigned_abs());
        let lease = Arc::new(Lease::new(length, began, parts.stop.clone()));
        let campaign = block.campaign().clone();
        let task = Task {
            parts,
            campaign,
            plan,
            guards: self.guards.clone(),
            lease,
            behind: self.behind.clone(),
        };
        self.blocks.spawn(task.run(block));
    }

    /// Waits, at most until a block ends while there is no room for another.
    async fn pause(&mut self, wait: Duration) {
        let is_full = self.blocks.len() >= BLOCKS_MAX;
        tokio::select! {
            () = self.parts.stop.cancelled() => {}
            () = sleep(wait) => {}
            Some(_) = self.blocks.join_next(), if is_full => {}
        }
    }
}

/// A random word: the name of a block, and the proof of whose it is. `None` without randomness.
fn nonce() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
