//! Goes through one block: one task sends, this one settles every 100 ms, and renews the lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use shared::CampaignId;
use shared::campaign_push::{Block, Doubt, End, Item, PauseReason, Responses, State};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Parts;
use super::lease::Lease;
use super::plan::Plan;
use super::user::send_all;
use crate::functions::wire::Response;
use crate::limits::SETTLE_EVERY;
use crate::metrics::UserEnd;
use crate::sending::Guards;

/// What the tasks of a block share.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) parts: Parts,
    pub(super) campaign: CampaignId,
    pub(super) plan: Arc<Plan>,
    pub(super) guards: Arc<Guards>,
    pub(super) lease: Arc<Lease>,
    pub(super) behind: Arc<Behind>,
}

/// The number of this worker's blocks whose settlement fails. A claim meanwhile could give one of
/// them to the worker itself, as one in doubt.
#[derive(Debug, Default)]
pub(super) struct Behind(AtomicUsize);

impl Behind {
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Relaxed) > 0
    }
}

/// What became of a user.
pub(super) struct Ended {
    pub(super) at: usize,
    pub(super) end: End,
    /// Id of the entry that is in the feed by now.
    pub(super) entry: Option<String>,
    pub(super) responses: Vec<Response>,
    pub(super) pause: Option<PauseReason>,
}

/// How often a lease is renewed within its length.
const RENEWALS: u32 = 3;
/// Wait after a settlement that failed: Redis is away.
const RETRY: Duration = Duration::from_millis(500);

impl Task {
    /// Returns when Redis knows what became of all users, or gave the block to another worker.
    pub(super) async fn run(self, mut block: Block) {
        let mut telling = Telling { behind: self.behind.clone(), is_failing: false };
        if block.in_doubt() {
            self.parts.metrics.doubtful_block();
            tracing::warn!(
                campaign = %block.campaign(),
                users = block.open().count(),
                "a worker went silent: some of these users may have got the push"
            );
        }
        if block.in_doubt() && self.plan.options.doubt == Doubt::Drop {
            self.drop_all(&mut block);
        } else {
            self.send(&mut block, &mut telling).await;
        }
        while !block.is_over() {
            if !self.tell(&mut block, &mut telling).await {
                return;
            }
        }
    }

    /// Sends to the block's users, and settles those who ended.
    async fn send(&self, block: &mut Block, telling: &mut Telling) {
        let items: Vec<(usize, Item)> = block.open().map(|(at, item)| (at, item.clone())).collect();
        let (sender, mut ended) = mpsc::channel(items.len().max(1));
        let sending = send_all(self.clone(), block.claimed_ms(), items, sender);
        let _sending = AbortOnDropHandle::new(tokio::spawn(sending));
        let renew_every =
            Duration::from_millis(self.parts.pace.block_lease_ms.unsigned_abs()) / RENEWALS;
        let mut ticks = interval(SETTLE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Instant::now();
        loop {
            tokio::select! {
                next = ended.recv() => match next {
                    Some(next) => self.note(block, next),
                    None => return,
                },
                _ = ticks.tick() => {
                    if block.has_news() || told.elapsed() >= renew_every {
                        told = Instant::now();
                        // What is on its way ends; nothing else begins.
                        self.tell(block, telling).await;
                    }
                }
            }
        }
    }

    fn note(&self, block: &mut Block, ended: Ended) {
        self.parts.metrics.user_ended(match &ended.end {
            End::Sent => UserEnd::Sent,
            End::Failed => UserEnd::Failed,
            End::Dead { .. } => UserEnd::Dead,
            End::Invalid => UserEnd::Invalid,
            End::Skipped => UserEnd::Skipped,
            End::Later { .. } => UserEnd::Later,
        });
        if let Some(entry) = ended.entry {
            block.written(ended.at, entry);
        }
        if !block.settle(ended.at, ended.end) {
            return;
        }
        for response in &ended.responses {
            if self.wants(response)
                && let Ok(json) = serde_json::to_string(response)
            {
                block.respond(json);
            }
        }
        if let Some(reason) = ended.pause {
            block.pause(reason);
        }
        if self.guards.has_many_invalid() {
            block.pause(PauseReason::ManyInvalid);
        }
    }

    fn wants(&self, response: &Response) -> bool {
        match self.plan.options.responses {
            Responses::All => true,
            Responses::Failures => !["sent", "skipped"].contains(&response.result),
            Responses::None => false,
        }
    }

    /// The users of a silent worker, which must not get the push twice.
    fn drop_all(&self, block: &mut Block) {
        let open: Vec<usize> = block.open().map(|(at, _)| at).collect();
        let users: Vec<Option<String>> = block
            .open()
            .map(|(_, item)| super::element::Element::parse(&item.element).map(|it| it.user_id))
            .collect();
        for (at, user) in open.into_iter().zip(users) {
            let responses = user.map(|user_id| Response {
                user_id,
                notification_id: None,
                device: None,
                kind: None,
                result: "unknown",
                reason: Some("worker_lost".to_owned()),
                field: None,
            });
            let responses = responses.into_iter().collect();
            self.note(block, Ended { at, end: End::Failed, entry: None, responses, pause: None });
        }
    }

    /// Tells Redis what was noted, and renews the lease. Returns false if the block is somebody
    /// else's by now.
    async fn tell(&self, block: &mut Block, telling: &mut Telling) -> bool {
        let began = Instant::now();
        let told = self.parts.store.settle(block).await;
        telling.set_failing(told.is_err());
        match told {
            Ok(settled) => {
                if settled.is_owned {
                    self.lease.renew(began);
                }
                if !settled.is_owned || settled.state != State::Running {
                    self.lease.call_off();
                }
                settled.is_owned
            }
            Err(error) => {
                tracing::debug!(%error, "a block cannot be settled");
                sleep(RETRY).await;
                true
            }
        }
    }
}

/// Whether a block's settlement fails; counted in [`Behind`], however the block ends.
struct Telling {
    behind: Arc<Behind>,
    is_failing: bool,
}

impl Telling {
    fn set_failing(&mut self, is_failing: bool) {
        if is_failing && !self.is_failing {
            self.behind.0.fetch_add(1, Relaxed);
        } else if !is_failing && self.is_failing {
            self.behind.0.fetch_sub(1, Relaxed);
        }
        self.is_failing = is_failing;
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.set_failing(false);
    }
}
