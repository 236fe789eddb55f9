//! One job: a notification to each of its user's devices that has not had it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use push::Push;
use push::collapse::Ids;
use push::message::{Message, Urgency};
use tokio_util::sync::CancellationToken;

use crate::functions::wire::{Device, Job, JobResult, Prune, Response, Settled};
use crate::limits::JOB_WAIT_MAX;
use crate::metrics::{JobEnd, Metrics};
use crate::sending::{Due, Fate, Guards, Sending, stop_wait};

/// What the jobs of a claim share.
pub(super) struct Task<'a> {
    pub(super) sending: &'a Sending,
    pub(super) metrics: &'a Metrics,
    pub(super) guards: &'a Guards,
    /// Afterwards another worker may have the jobs.
    pub(super) lease_end: Instant,
    /// No push begins later, so that each ends within the lease.
    pub(super) last_start: Instant,
    pub(super) stop: CancellationToken,
}

impl Task<'_> {
    /// Sends to all devices that are left. `None` if the lease ended first, so that the job is
    /// somebody else's.
    pub(super) async fn run(&self, job: &Job) -> Option<Settled> {
        let due = Due {
            attempts: job.attempts + 1,
            age: Duration::ZERO,
            ttl: Duration::from_secs(job.ttl_seconds),
        };
        if let Some(wait) = job.quiet_hours.as_ref().and_then(|it| it.wait(Timestamp::now())) {
            return Some(self.quiet(job, due, wait));
        }
        let message = message(job);
        let is_left = |device: &&Device| !job.done.contains(&device.device);
        let devices: Vec<&Device> = job.devices.iter().filter(is_left).collect();
        let sending = devices.iter().map(|device| self.send(job, device, &message, due));
        let fates = join_all(sending).await;
        self.settled(job, &devices, fates)
    }

    /// A job that waits for the end of quiet hours, or has no time for that.
    fn quiet(&self, job: &Job, due: Due, wait: Duration) -> Settled {
        if due.can_wait(wait) {
            self.metrics.job_ended(JobEnd::Later);
            return Settled {
                result: JobResult::Later,
                wait_ms: Some(ms(wait)),
                counted: Some(false),
                ..done(job)
            };
        }
        self.metrics.job_ended(JobEnd::Expired);
        let response = Response {
            user_id: job.user_id.clone(),
            notification_id: Some(job.id.clone()),
            device: None,
            kind: None,
            result: "skipped",
            reason: Some("quiet_hours".to_owned()),
            field: None,
        };
        Settled { responses: vec![response], ..done(job) }
    }

    /// `None` if it was not begun, because the lease or the worker ends.
    async fn send(
        &self,
        job: &Job,
        device: &Device,
        message: &Arc<Message>,
        due: Due,
    ) -> Option<Fate> {
        let Some(address) = device.address() else {
            return Some(Fate::Failed { reason: "unknown_kind", field: None });
        };
        let kind = address.kind();
        let ids = Ids::new(&job.id, &job.user_id, &device.device, job.collapse.as_deref());
        let (message, ttl_s) = (message.clone(), due.ttl_left_s());
        let push = Push { address, message, ids, ttl_s, validate_only: false };
        let may_start = || Instant::now() < self.last_start && !self.stop.is_cancelled();
        let outcome = self.sending.send(&push, may_start).await?;
        let prune = || {
            Some(Prune {
                user_id: job.user_id.clone(),
                device: device.device.clone(),
                rev: device.rev,
                token: device.token.clone(),
            })
        };
        Some(self.sending.judge(outcome, kind, due, self.guards, prune))
    }

    fn settled(&self, job: &Job, devices: &[&Device], fates: Vec<Option<Fate>>) -> Option<Settled> {
        let mut settled = done(job);
        let mut wait: Option<Duration> = None;
        let mut is_counted = false;
        let mut unsent = 0;
        let mut sooner = |other: Duration| wait = Some(wait.map_or(other, |it| it.min(other)));
        for (device, fate) in devices.iter().zip(&fates) {
            match fate {
                None => unsent += 1,
                Some(Fate::Later { wait, is_counted: counts, .. }) => {
                    is_counted |= *counts;
                    sooner(*wait);
                }
                Some(Fate::Stopped(_)) => sooner(stop_wait()),
                Some(fate) => {
                    settled.done.push(device.device.clone());
                    let about = Some((device.device.as_str(), device.kind.as_str()));
                    let response = fate.to_response(&job.user_id, about, Some(&job.id));
                    settled.responses.extend(response);
                }
            }
        }
        if unsent > 0 {
            if Instant::now() >= self.lease_end {
                return None;
            }
            // The worker or the lease ends: at once for another one.
            sooner(Duration::ZERO);
        }
        let Some(wait) = wait else {
            self.metrics.job_ended(JobEnd::Done);
            return Some(settled);
        };
        self.metrics.job_ended(JobEnd::Later);
        let wait = wait.min(JOB_WAIT_MAX);
        settled.result = JobResult::Later;
        settled.wait_ms = Some(ms(wait));
        settled.counted = Some(is_counted);
        Some(settled)
    }
}

fn done(job: &Job) -> Settled {
    Settled {
        user_id: job.user_id.clone(),
        seq: job.seq,
        rev: job.rev,
        result: JobResult::Done,
        wait_ms: None,
        counted: None,
        done: Vec::new(),
        responses: Vec::new(),
    }
}

fn ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

fn message(job: &Job) -> Arc<Message> {
    Arc::new(Message {
        id: job.id.clone(),
        kind: job.kind.clone(),
        title: job.title.clone(),
        body: job.body.clone(),
        data: job.data.clone(),
        link: None,
        urgency: job.urgency.as_deref().and_then(|text| Urgency::parse(text).ok()),
        // The whole content is in the feed.
        may_shorten: true,
    })
}
