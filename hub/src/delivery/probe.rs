//! Whether the subscription hears: after some silence it publishes a probe the way that notifications
//! take, through the connection for commands, and reconnects when it does not hear it. A half-open
//! connection would otherwise look healthy for ever, and so would one to a server that answers every
//! PING but is no longer the one that others publish to (a failover, a proxy).

use std::sync::mpsc;
use std::time::Instant;

use redis::{ErrorKind, RedisResult, ServerErrorKind};
use shared::keys::EVENTS_CHANNEL;
use shared::wire::ChannelEvent;

use crate::delivery::dispatcher::Dispatcher;
use crate::limits::PROBES_MISSED_MAX;
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};

/// Makes a hub's probes.
pub(super) struct Probe {
    /// A random word, for whoever reads the channel.
    hub: String,
    n: u64,
    /// In a row that were not heard.
    missed: u32,
}

impl Probe {
    pub(super) fn random() -> Self {
        Self { hub: format!("{:016x}", fastrand::u64(..)), n: 0, missed: 0 }
    }
}

impl Dispatcher {
    /// It was silent for long: asks whether anybody is there.
    pub(super) fn check(
        &self,
        subscription: &mut Subscription,
        probe: &mut Probe,
    ) -> Result<bool, SubscriptionError> {
        if self.probe(subscription, probe)? {
            self.heard(Instant::now(), probe);
            return Ok(true);
        }
        probe.missed += 1;
        if !self.health.is_deaf() {
            tracing::warn!("a probe was not heard; not ready until one is");
            self.health.set_deaf(true);
        }
        if probe.missed >= PROBES_MISSED_MAX {
            probe.missed = 0;
            return Err(SubscriptionError::Deaf);
        }
        Ok(false)
    }

    /// Publishes a probe and waits for a message: any shows that the subscription hears.
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
                // All that can be asked then is whether the connection is there.
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
                    subscription.ping()?;
                }
            }
        }
        Ok(false)
    }

    /// Something arrived.
    pub(super) fn heard(&self, now: Instant, probe: &mut Probe) {
        probe.missed = 0;
        self.health.redis_answered_at(now);
        if self.health.is_deaf() {
            self.health.set_deaf(false);
            tracing::info!("the subscription hears again");
        }
    }
}
