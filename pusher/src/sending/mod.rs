//! One push: waits for its turn, sends it, and says what its outcome means for the user's device.
//! Jobs, campaigns and test pushes share the bound on pushes in flight.

mod due;
mod guards;
mod prunes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use push::metrics::{KINDS, Kind};
use push::outcome::{Outcome, Reason};
use push::{Push, Sender};
use tokio::sync::Semaphore;

pub(crate) use due::Due;
pub(crate) use guards::{Guards, Scope};
pub(crate) use prunes::Prunes;

use crate::functions::wire::{Prune, Response};
use crate::health::Health;
use crate::limits::STOP_WAIT;
use crate::metrics::Metrics;

/// Of a device without its service, which is not a sign of a wrong credential.
const NOT_CONFIGURED: Outcome = Outcome::Refused { reason: "not_configured", field: None };

/// What becomes of one push to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted,
    /// The address is gone.
    Invalid(Reason),
    /// Refused, and would be again.
    Failed {
        reason: Reason,
        field: Option<String>,
    },
    /// Another attempt after `wait`; an attempt that did not count leaves the number as it is.
    Later {
        wait: Duration,
        is_counted: bool,
        reason: Reason,
    },
    /// Given up: too many attempts, or the time is over.
    Dead(Reason),
    /// The credential is refused: nothing can be sent, and an operator has to look.
    Stopped(Reason),
}

impl Fate {
    /// The word, the reason and the field in a response; `None` while it is not over.
    pub(crate) fn response(&self) -> Option<(&'static str, Option<&'static str>, Option<&String>)> {
        Some(match self {
            Fate::Accepted => ("sent", None, None),
            Fate::Invalid(reason) => ("invalid", Some(*reason), None),
            Fate::Failed { reason, field } => ("failed", Some(*reason), field.as_ref()),
            Fate::Dead(reason) => ("failed", Some(*reason), None),
            Fate::Later { .. } | Fate::Stopped(_) => return None,
        })
    }

    /// The response about a device.
    pub(crate) fn to_response(
        &self,
        user: &str,
        device: Option<(&str, &str)>,
        notification: Option<&str>,
    ) -> Option<Response> {
        let (result, reason, field) = self.response()?;
        Some(Response {
            user_id: user.to_owned(),
            notification_id: notification.map(str::to_owned),
            device: device.map(|(name, _)| name.to_owned()),
            kind: device.map(|(_, kind)| kind.to_owned()),
            result,
            reason: reason.map(str::to_owned),
            field: field.cloned(),
        })
    }
}

/// The sender with everything around it.
pub(crate) struct Sending {
    pub(crate) sender: Arc<Sender>,
    /// As many as pushes may be in flight: a push that waits here can still be called off.
    turns: Semaphore,
    configured: [bool; KINDS.len()],
    prunes: Prunes,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Sending {
    pub(crate) fn new(
        sender: Arc<Sender>,
        config: &push::sender::Config,
        prunes: Prunes,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let configured = [config.fcm.is_some(), config.webpush.is_some(), config.apns.is_some()];
        let turns = Semaphore::new(config.in_flight_max);
        Self { sender, turns, configured, prunes, health, metrics }
    }

    /// Sends once it is its turn, unless `may_start` then says no: `None`.
    pub(crate) async fn send(&self, push: &Push, may_start: impl Fn() -> bool) -> Option<Outcome> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        if !may_start() {
            return None;
        }
        if !self.is_configured(push.address.kind()) {
            return Some(NOT_CONFIGURED);
        }
        Some(self.sender.send_one(push).await)
    }

    /// What can be said about a push without sending it: accepted, if nothing is against it.
    pub(crate) async fn check(&self, push: &Push) -> Outcome {
        if !self.is_configured(push.address.kind()) {
            return NOT_CONFIGURED;
        }
        self.sender.check(push).await.err().unwrap_or(Outcome::Accepted)
    }

    pub(crate) fn is_configured(&self, kind: Kind) -> bool {
        self.configured.get(kind as usize) != Some(&false)
    }

    /// What an outcome means. `prune` removes the address, if it is gone and the guard agrees.
    pub(crate) fn judge(
        &self,
        outcome: Outcome,
        kind: Kind,
        due: Due,
        guards: &Guards,
        prune: impl FnOnce() -> Option<Prune>,
    ) -> Fate {
        let now = Instant::now();
        match outcome {
            Outcome::Accepted => {
                self.health.accepted(kind);
                guards.good(now);
                Fate::Accepted
            }
            Outcome::Gone(reason) => {
                if guards.gone(now, &self.metrics) {
                    if let Some(prune) = prune() {
                        self.prunes.add(prune);
                    }
                } else {
                    self.metrics.unpruned();
                }
                Fate::Invalid(reason)
            }
            Outcome::Mismatch(reason) if guards.mismatch(now, &self.metrics) => {
                Fate::Failed { reason, field: None }
            }
            Outcome::Mismatch(reason) | Outcome::Stop(reason) => {
                self.health.stopped(kind, reason);
                Fate::Stopped(reason)
            }
            Outcome::Refused { reason, field } => Fate::Failed { reason, field },
            Outcome::Retry { reason, after, .. } => due.after_failure(reason, after),
            Outcome::Hold { reason, wait } => due.after_hold(reason, wait),
        }
    }
}

/// The wait of a push whose credential is refused, spread a little.
pub(crate) fn stop_wait() -> Duration {
    STOP_WAIT.mul_f64(1.0 + fastrand::f64() * 0.2)
}
