//! The subscription: one dedicated connection that hears the channels and hands every message to
//! the registry. It never stops reading, because Redis cuts a subscriber off that does: what this
//! hub cannot keep up with is dropped here, and everyone is brought up to date from the feeds.
//!
//! It finds out by itself when it is deaf: after some silence it publishes a probe the way that
//! notifications take, through the connection for commands, and reconnects when it does not hear
//! it. A half-open connection would otherwise look healthy for ever, and so would one to a server
//! that answers every PING but is no longer the one that others publish to (a failover, a proxy).
//!
//! It runs on a thread of its own, where a message wakes nobody else between the read from Redis
//! and the write to a socket.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{ConnectionInfo, ErrorKind, ServerErrorKind};
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use shared::wire::{ChannelEvent, Message, Position};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::backlog::Backlog;
use crate::backoff::Backoff;
use crate::commands::Commands;
use crate::config::Pace;
use crate::health::Health;
use crate::limits::{
    DELIVER_MESSAGES_MAX, PROBES_MISSED_MAX, REDIS_BACKOFF_MAX, REDIS_CONNECT_DEADLINE,
};
use crate::metrics::{Channel, Metrics, Undelivered};
use crate::registry::Registry;
use crate::resp::Reply;
use crate::subscription::{Subscription, SubscriptionError};
use crate::user::Flush;

pub struct Subscriber {
    pub redis: ConnectionInfo,
    pub registry: Arc<Registry>,
    pub commands: Arc<Commands>,
    /// Where commands run: their connection must not depend on the subscriber's thread.
    pub runtime: Handle,
    pub health: Arc<Health>,
    pub pace: Pace,
    /// Told each time everyone may be behind: the subscription stands (again), or messages were
    /// dropped.
    pub behind: Arc<Notify>,
    pub metrics: Arc<Metrics>,
}

/// Makes a hub's probes.
struct Probe {
    /// A random word, for whoever reads the channel.
    hub: String,
    n: u64,
    /// In a row that were not heard.
    missed: u32,
}

/// The epoch that was heard last: nearly always the only one there is, and so shared by all.
type LastEpoch = Option<Arc<str>>;

impl Subscriber {
    /// Subscribes, again and again; ends only by being dropped.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        let mut is_away = false;
        let mut probe = Probe { hub: format!("{:016x}", fastrand::u64(..)), n: 0, missed: 0 };
        loop {
            match self.subscribe().await {
                Ok(subscription) => {
                    tracing::info!("subscribed to notifications");
                    is_away = false;
                    let since = Instant::now();
                    // Before the first message is looked at: from here on, what was missed is
                    // told from what is live.
                    self.registry.unsync();
                    self.health.set_subscribed(true);
                    self.commands.retry_now();
                    self.behind.notify_one();
                    let Err(why) = self.listen(subscription, &mut probe).await;
                    self.health.set_subscribed(false);
                    self.metrics.subscription_lost();
                    tracing::warn!(%why, "the subscription was lost");
                    // One that breaks at once must not be retried at once for ever.
                    if since.elapsed() > REDIS_BACKOFF_MAX {
                        backoff.reset();
                    }
                }
                Err(error) if !is_away => {
                    tracing::warn!(%error, "cannot subscribe; trying again");
                    is_away = true;
                }
                Err(_) => {}
            }
            sleep(backoff.next_wait()).await;
        }
    }

    async fn subscribe(&self) -> Result<Subscription, SubscriptionError> {
        let channels = [NOTIFICATIONS_CHANNEL, EVENTS_CHANNEL];
        match timeout(REDIS_CONNECT_DEADLINE, Subscription::open(&self.redis, &channels)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SubscriptionError::Late),
        }
    }

    /// Hears messages until the connection is lost; says why it was.
    async fn listen(
        &self,
        mut subscription: Subscription,
        probe: &mut Probe,
    ) -> Result<std::convert::Infallible, SubscriptionError> {
        let silence = self.pace.subscription_silence;
        let mut backlog = Backlog::default();
        let mut epoch = LastEpoch::None;
        let mut heard_at = Instant::now();
        // Who was deaf before shows first that it hears now.
        let first = if self.health.is_deaf() { Duration::ZERO } else { silence };
        // One timer, which is not touched by messages: it goes off and looks how long ago one came.
        let mut alarm = pin!(sleep(first));
        loop {
            while let Some(reply) = subscription.take()? {
                self.sort(reply, &mut backlog);
            }
            if !backlog.is_empty() {
                self.deliver(&mut backlog, &mut epoch);
                if !backlog.is_empty() {
                    // Redis first: what it has to keep for us is what it cuts us off for.
                    subscription.read_now()?;
                    yield_now().await;
                }
                continue;
            }
            tokio::select! {
                biased;
                read = subscription.read() => {
                    read?;
                    heard_at = Instant::now();
                    self.heard(probe);
                }
                () = alarm.as_mut() => {
                    self.check(&mut subscription, heard_at, alarm.as_mut(), probe).await?;
                }
            }
        }
    }

    /// The alarm went off: asks whether anybody is there if nothing was heard for long enough.
    async fn check(
        &self,
        subscription: &mut Subscription,
        heard_at: Instant,
        mut alarm: Pin<&mut Sleep>,
        probe: &mut Probe,
    ) -> Result<(), SubscriptionError> {
        let silence = self.pace.subscription_silence;
        let is_quiet = heard_at.elapsed() >= silence;
        if !is_quiet && !self.health.is_deaf() {
            alarm.as_mut().reset(heard_at + silence);
            return Ok(());
        }
        if self.probe(subscription, probe).await? {
            self.heard(probe);
            alarm.as_mut().reset(Instant::now() + silence);
            return Ok(());
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
        alarm.as_mut().reset(Instant::now());
        Ok(())
    }

    /// Publishes a probe and waits for a message: any shows that the subscription hears.
    async fn probe(
        &self,
        subscription: &mut Subscription,
        probe: &mut Probe,
    ) -> Result<bool, SubscriptionError> {
        probe.n += 1;
        let mut pipeline = redis::pipe();
        let text = ChannelEvent::probe(&probe.hub, probe.n);
        pipeline.cmd("PUBLISH").arg(EVENTS_CHANNEL).arg(text).ignore();
        let commands = self.commands.clone();
        let mut publishing =
            self.runtime.spawn(async move { commands.query::<()>(&pipeline).await });
        let mut is_published = false;
        let waiting = async {
            loop {
                tokio::select! {
                    read = subscription.read() => return read,
                    outcome = &mut publishing, if !is_published => {
                        is_published = true;
                        let Ok(Err(error)) = outcome else { continue };
                        tracing::debug!(%error, "cannot publish a probe");
                        // All that can be asked then is whether the connection is there.
                        if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
                            subscription.ping().await?;
                        }
                    }
                }
            }
        };
        match timeout(self.pace.subscription_pong_deadline, waiting).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Something arrived.
    fn heard(&self, probe: &mut Probe) {
        probe.missed = 0;
        self.health.redis_answered();
        if self.health.is_deaf() {
            self.health.set_deaf(false);
            tracing::info!("the subscription hears again");
        }
    }

    /// Messages wait for their turn; beyond the bound all that wait are dropped.
    fn sort(&self, reply: Reply, backlog: &mut Backlog) {
        let Reply::Message { channel, payload } = reply else { return };
        let is_event = channel == EVENTS_CHANNEL.as_bytes();
        if let Some(dropped) = backlog.push(payload, is_event) {
            tracing::warn!(dropped, "cannot keep up; everyone is brought up to date");
            self.registry.unsync();
            self.behind.notify_one();
        }
    }

    /// Hands on some of what waits. Sockets are written to afterwards: what came together for one
    /// leaves together.
    fn deliver(&self, backlog: &mut Backlog, epoch: &mut LastEpoch) {
        let mut flush = Flush::default();
        for _ in 0..DELIVER_MESSAGES_MAX {
            let Some((payload, is_event)) = backlog.pop() else { break };
            if is_event {
                self.metrics.heard(Channel::Events);
                self.hear_event(&payload, &mut flush);
            } else {
                self.metrics.heard(Channel::Notifications);
                self.hear(&payload, epoch, &mut flush);
            }
        }
    }

    fn hear(&self, payload: &Bytes, last: &mut LastEpoch, flush: &mut Flush) {
        match Message::parse(payload) {
            Ok(Message { user_id, notification, position }) => {
                let position = position.map(|(epoch, seq)| {
                    let epoch = match last {
                        Some(last) if **last == *epoch => last.clone(),
                        _ => last.insert(epoch.into()).clone(),
                    };
                    Position { epoch, seq }
                });
                let notification = payload.slice_ref(notification.as_bytes());
                self.registry.deliver(&user_id, notification, position, flush);
            }
            // Other services publish here too; what they get wrong is theirs.
            Err(why) => {
                self.metrics.undelivered(Undelivered::Unreadable);
                tracing::debug!(why, "a message cannot be delivered");
            }
        }
    }

    fn hear_event(&self, payload: &[u8], flush: &mut Flush) {
        match ChannelEvent::parse(payload) {
            Ok(ChannelEvent::Read { user_id, marked, unread }) => {
                self.registry.mark_read(&user_id, marked, unread, flush);
            }
            // Has done its work by being heard, whosever it is.
            Ok(ChannelEvent::Probe { .. } | ChannelEvent::Other) => {}
            // The channel is ours, so this is worth a line; but never one for each.
            Err(why) => {
                let count = self.metrics.odd_event();
                if count.is_power_of_two() {
                    tracing::warn!(why, count, "events cannot be read");
                }
            }
        }
    }
}
