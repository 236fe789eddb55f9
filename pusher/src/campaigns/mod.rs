//! Pushes of campaigns: looks for those under way, claims blocks of their users, sends, and
//! settles. Any number of workers share a campaign; Redis says whose a user is.
//!
//! [`mod@run`] goes through one campaign, [`block`] through one block, [`user`] sends to one user;
//! [`plan`] is a campaign's options, [`content`] tries whether it can be sent at all, [`lease`] how
//! long a block is this worker's.

mod block;
mod content;
mod element;
mod feed;
mod lease;
mod plan;
mod run;
mod user;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use shared::CampaignId;
use shared::campaign_push::index::Pushing;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Pace;
use crate::functions::Api;
use crate::limits::{CAMPAIGN_TICK, CAMPAIGNS_MAX};
use crate::metrics::Metrics;
use crate::redis::Store;
use crate::sending::Sending;
use crate::trials::Trials;

/// What all campaigns share.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) api: Arc<Api>,
    pub(crate) sending: Arc<Sending>,
    pub(crate) store: Arc<Store>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pace: Pace,
    /// The worker ends: nothing more is claimed, and what is not on its way is given back.
    pub(crate) stop: CancellationToken,
}

/// The campaigns that this worker goes through.
#[derive(Default)]
struct UnderWay(Mutex<HashSet<CampaignId>>);

impl UnderWay {
    /// `None` if it is there already, or if there are too many.
    fn begin(self: &Arc<Self>, campaign: &CampaignId) -> Option<Turn> {
        let mut all = self.0.lock();
        if all.len() >= CAMPAIGNS_MAX || !all.insert(campaign.clone()) {
            return None;
        }
        Some(Turn { all: self.clone(), campaign: campaign.clone() })
    }
}

/// Ends with the task that goes through the campaign, however that ends.
struct Turn {
    all: Arc<UnderWay>,
    campaign: CampaignId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.campaign);
    }
}

/// Looks for campaigns and test pushes every second until the worker ends; returns when all blocks
/// are settled.
pub(crate) async fn run(parts: Parts) {
    let under_way = Arc::new(UnderWay::default());
    let tasks = TaskTracker::new();
    let mut ticks = interval(CAMPAIGN_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = parts.stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let Ok((pushing, tests)) = parts.store.look().await else { continue };
        for test in tests {
            let (api, sending, store) =
                (parts.api.clone(), parts.sending.clone(), parts.store.clone());
            tasks.spawn(Trials { api, sending, store }.run(test));
        }
        begin_all(&parts, pushing, &under_way, &tasks);
    }
    tasks.close();
    tasks.wait().await;
}

fn begin_all(
    parts: &Parts,
    mut pushing: Vec<Pushing>,
    under_way: &Arc<UnderWay>,
    tasks: &TaskTracker,
) {
    // A worker that is full leaves some to others, and not always the same ones.
    fastrand::shuffle(&mut pushing);
    for pushing in pushing {
        if let Some(turn) = under_way.begin(&pushing.campaign) {
            let parts = parts.clone();
            tasks.spawn(async move {
                parts.metrics.campaign_began();
                run::run(&parts, &pushing).await;
                parts.metrics.campaign_ended();
                drop(turn);
            });
        }
    }
}
