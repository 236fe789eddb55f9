//! Checks that the subscription receives: after some silence it publishes a probe through the
//! connection for commands, as notifications are published, and reconnects if the probe does not
//! arrive. Otherwise a half-open connection would look healthy for ever, and so would one to a
//! server that answers every PING but no longer gets the publications (after a failover, or behind
//! a proxy).

use std::sync::mpsc;
use std::time::Instant;

use redis::{ErrorKind, RedisResult, ServerErrorKind};
use shared::keys::EVENTS_CHANNEL;
use shared::wire::ChannelEvent;

use crate::delivery::dispatcher::Dispatcher;
use crate::limits::PROBES_MISSED_MAX;
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};

/// The state of a hub's probes.
pub(super) struct Probe {
    /// A random name, for people who watch the channel.
    hub: String,
    n: u64,
    /// Probes missed in a row.
    missed: u32,
}

impl Probe {
    pub(super) fn random() -> Self {
        Self { hub: format!("{:016x}", fastrand::u64(..)), n: 0, missed: 0 }
    }
}

impl Dispatcher {
    /// Checks the connection after a long silence.
    pub(super) fn check(
        &self,
        subscription: &mut Subscription,
        probe: &mut Probe,
    ) -> Result<bool, SubscriptionError> {
        if self.probe(subscription, probe)? {
            self.message_arrived(Instant::now(), probe);
            return Ok(true);
        }
        probe.missed += 1;
        if !self.health.is_deaf() {
            tracing::warn!("missed a probe; not ready until one arrives");
            self.health.set_deaf(true);
        }
        if probe.missed >= PROBES_MISSED_MAX {
            probe.missed = 0;
            return Err(SubscriptionError::Deaf);
        }
        Ok(false)
    }

    /// Publishes a probe and waits for a message: any message shows that the subscription receives.
    fn probe(
        &self,
        subscription: &mut Subscription,
        probe: &mut Probe,
    ) -> Result<bool, SubscriptionError> {
        probe.n += 1;
        let mut pipeline = redis::pipe();
        let text = ChannelEvent::probe(&probe.hub, probe.n);
        pipeline.cmd("PUBLISH").arg(EVENTS_CHANNEL).arg(text).ignore();
        let (sender, published) = mpsc::channel();
        let commands = self.commands.clone();
        self.runtime.spawn(async move {
            let outcome: RedisResult<()> = commands.query(&pipeline).await;
            let _ = sender.send(outcome);
        });
        let deadline = Instant::now() + self.pace.subscription_pong_deadline;
        while Instant::now() < deadline {
            if subscription.read()? {
                return Ok(true);
            }
            if let Ok(Err(error)) = published.try_recv() {
                tracing::debug!(%error, "cannot publish a probe");
                // Without that permission, only the connection can be checked.
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
                    subscription.ping()?;
                }
            }
        }
        Ok(false)
    }

    /// Records that a message arrived.
    pub(super) fn message_arrived(&self, now: Instant, probe: &mut Probe) {
        probe.missed = 0;
        self.health.redis_answered_at(now);
        if self.health.is_deaf() {
            self.health.set_deaf(false);
            tracing::info!("the subscription receives again");
        }
    }
}
