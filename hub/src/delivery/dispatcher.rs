//! The subscription: one dedicated connection that hears the channels and hands every message to
//! the registry. It never stops reading, because Redis cuts a subscriber off that does: what this
//! hub cannot keep up with is dropped here, and everyone is brought up to date from the feeds.
//!
//! After some silence it finds out whether it is deaf (`probe.rs`).
//!
//! It runs on a thread of its own and blocks there: between the read from Redis and the write to a
//! socket nobody else is woken, and no event loop is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::ConnectionInfo;
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use shared::wire::{ChannelEvent, Message, Position};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::config::Pace;
use crate::delivery::probe::Probe;
use crate::delivery::pubsub_backlog::Backlog;
use crate::limits::{
    DELIVER_MESSAGES_MAX, REDIS_BACKOFF_MAX, SUBSCRIPTION_TICK_MAX, SUBSCRIPTION_TICK_MIN,
};
use crate::metrics::health::Health;
use crate::metrics::{Channel, Metrics, Undelivered};
use crate::redis::backoff::Backoff;
use crate::redis::commands::Commands;
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};
use crate::redis::pubsub_parser::Reply;
use crate::users::Registry;
use crate::users::user::Flush;

pub(crate) struct Dispatcher {
    pub(crate) redis: ConnectionInfo,
    pub(crate) registry: Arc<Registry>,
    pub(crate) commands: Arc<Commands>,
    /// Where commands run.
    pub(crate) runtime: Handle,
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Pace,
    /// Told each time everyone may be behind: the subscription stands (again), or messages were
    /// dropped.
    pub(crate) behind: Arc<Notify>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The epoch that was heard last: nearly always the only one there is, and so shared by all.
type LastEpoch = Option<Arc<str>>;

/// Ends the subscriber when it is dropped, within a tick.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Dispatcher {
    /// Starts the thread. What is returned beside the means to stop it is told when it has ended, for
    /// whatever reason.
    ///
    /// # Errors
    /// The machine has no thread left.
    pub(crate) fn start(self) -> std::io::Result<(Stop, oneshot::Receiver<()>)> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let (running, ended) = oneshot::channel();
        thread::Builder::new().name("subscriber".to_owned()).spawn(move || {
            let _running = running; // dropped by a panic, too
            self.run(&stopped);
        })?;
        Ok((Stop(stop), ended))
    }

    /// Subscribes, again and again.
    fn run(self, stop: &AtomicBool) {
        let mut backoff = Backoff::default();
        let mut is_away = false;
        let mut probe = Probe::random();
        let channels = [NOTIFICATIONS_CHANNEL, EVENTS_CHANNEL];
        while !stop.load(Ordering::SeqCst) {
            match Subscription::open(&self.redis, &channels, self.tick()) {
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
                    let outcome = self.listen(subscription, &mut probe, stop);
                    self.health.set_subscribed(false);
                    let Err(why) = outcome else { return };
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
            thread::sleep(backoff.next_wait());
        }
    }

    /// How long a read waits before it is looked whether something else is to do.
    fn tick(&self) -> Duration {
        let shortest = self.pace.subscription_silence.min(self.pace.subscription_pong_deadline);
        (shortest / 8).clamp(SUBSCRIPTION_TICK_MIN, SUBSCRIPTION_TICK_MAX)
    }

    /// Hears messages until the connection is lost, which is an error, or the hub ends.
    fn listen(
        &self,
        mut subscription: Subscription,
        probe: &mut Probe,
        stop: &AtomicBool,
    ) -> Result<(), SubscriptionError> {
        let silence = self.pace.subscription_silence;
        let mut backlog = Backlog::default();
        let mut epoch = LastEpoch::None;
        let mut heard_at = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            while let Some(reply) = subscription.take()? {
                self.enqueue(reply, &mut backlog);
            }
            if !backlog.is_empty() {
                self.deliver(&mut backlog, &mut epoch, heard_at);
                // Redis first: what it has to keep for us is what it cuts us off for.
                if !backlog.is_empty() && subscription.read_now()? {
                    heard_at = Instant::now();
                }
                continue;
            }
            if subscription.read()? {
                heard_at = Instant::now();
                self.heard(heard_at, probe);
                continue;
            }
            // Who was deaf before shows at once that it hears now.
            let wait = if self.health.is_deaf() { Duration::ZERO } else { silence };
            if heard_at.elapsed() >= wait && self.check(&mut subscription, probe)? {
                heard_at = Instant::now();
            }
        }
        Ok(())
    }

    /// Messages wait for their turn; beyond the bound all that wait are dropped.
    fn enqueue(&self, reply: Reply, backlog: &mut Backlog) {
        let Reply::Message { channel, payload } = reply else { return };
        let is_event = channel == EVENTS_CHANNEL.as_bytes();
        if let Some(dropped) = backlog.push(payload, is_event) {
            self.metrics.undelivered(Undelivered::Shed, dropped as u64);
            tracing::warn!(dropped, "cannot keep up; everyone is brought up to date");
            self.registry.unsync();
            self.behind.notify_one();
        }
    }

    /// Hands on some of what waits. Sockets are written to afterwards: what came together for one
    /// leaves together.
    fn deliver(&self, backlog: &mut Backlog, epoch: &mut LastEpoch, heard_at: Instant) {
        let mut flush = Flush::received(heard_at, self.metrics.clone());
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
                self.metrics.undelivered(Undelivered::Unreadable, 1);
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
