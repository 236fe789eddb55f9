//! Checks that a subscription receives: after some silence it publishes a probe through the
//! connection for commands, as notifications are published, and reconnects if the probe does not
//! arrive. Otherwise a half-open connection would look healthy for ever, and so would one to a
//! server that answers every PING but no longer gets the publications (after a failover, or behind
//! a proxy).

use std::sync::mpsc;
use std::time::Instant;

use redis::{ErrorKind, RedisResult, ServerErrorKind};
use shared::wire::ChannelEvent;

use crate::delivery::receiver::{Line, Receiver};
use crate::limits::PROBES_MISSED_MAX;
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};

/// The state of a hub's probes.
pub(crate) struct Probe {
    /// A random name, for people who watch the channel.
    hub: String,
    n: u64,
    /// Probes missed in a row.
    missed: u32,
}

impl Probe {
    pub(crate) fn random() -> Self {
        Self { hub: format!("{:016x}", fastrand::u64(..)), n: 0, missed: 0 }
    }
}

impl Receiver {
    /// Checks the connection after a long silence.
    pub(super) fn check<L: Line>(
        &self,
        line: &L,
        subscription: &mut Subscription,
        probe: &mut Probe,
    ) -> Result<bool, SubscriptionError> {
        if self.probe(line, subscription, probe)? {
            self.message_arrived(line, Instant::now(), probe);
            return Ok(true);
        }
        probe.missed += 1;
        if !line.is_deaf() {
            tracing::warn!("missed a probe; not ready until one arrives");
            line.set_deaf(true);
        }
        if probe.missed >= PROBES_MISSED_MAX {
            probe.missed = 0;
            return Err(SubscriptionError::Deaf);
        }
        Ok(false)
    }

    /// Publishes a probe and waits for a message: any message shows that the subscription receives.
    fn probe<L: Line>(
        &self,
        line: &L,
        subscription: &mut Subscription,
        probe: &mut Probe,
    ) -> Result<bool, SubscriptionError> {
        probe.n += 1;
        let (sender, published) = mpsc::channel();
        match line.probe(ChannelEvent::probe(&probe.hub, probe.n)) {
            Some(pipeline) => {
                let commands = self.commands.clone();
                self.runtime.spawn(async move {
                    let outcome: RedisResult<()> = commands.query(&pipeline).await;
                    let _ = sender.send(outcome);
                });
            }
            None => subscription.ping()?,
        }
        let deadline = Instant::now() + self.pace.subscription_pong_deadline;
        while Instant::now() < deadline {
            if subscription.read()? && (!L::IS_CONTROLLED || subscription.holds_message()) {
                return Ok(true);
            }
            if line.is_outdated() {
                return Err(SubscriptionError::Outdated);
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
    pub(super) fn message_arrived<L: Line>(&self, line: &L, now: Instant, probe: &mut Probe) {
        probe.missed = 0;
        line.heard(now);
        if line.is_deaf() {
            line.set_deaf(false);
            tracing::info!("the subscription receives again");
        }
    }
}
