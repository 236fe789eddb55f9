//! The subscription: one dedicated connection receives the channels, and every message goes to the
//! registry. The hub never stops reading from it, because Redis disconnects a slow subscriber:
//! messages beyond the hub's capacity are dropped here, and every user is brought up to date from
//! the feeds.
//!
//! After some silence it checks that the subscription still receives (`probe.rs`).
//!
//! Runs on a blocking thread of its own: no other task and no event loop is woken between the read
//! from Redis and the write to a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use native::backoff::Backoff;
use native::limits::REDIS_BACKOFF_MAX;
use native::redis::Commands;
use redis::ConnectionInfo;
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use shared::wire::{ChannelEvent, Message, Position};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::config::Pace;
use crate::delivery::probe::Probe;
use crate::delivery::pubsub_backlog::Backlog;
use crate::limits::{DELIVER_MESSAGES_MAX, SUBSCRIPTION_TICK_MAX, SUBSCRIPTION_TICK_MIN};
use crate::metrics::health::Health;
use crate::metrics::{Channel, Metrics, Undelivered};
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};
use crate::redis::pubsub_parser::Reply;
use crate::users::Registry;
use crate::users::user::Flush;

pub(crate) struct Dispatcher {
    pub(crate) redis: ConnectionInfo,
    pub(crate) registry: Arc<Registry>,
    pub(crate) commands: Arc<Commands>,
    /// The runtime that commands run on.
    pub(crate) runtime: Handle,
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Pace,
    /// Notified each time users may have missed messages: the subscription is (again) established,
    /// or messages were dropped.
    pub(crate) behind: Arc<Notify>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The epoch received last, shared by all users: there is nearly always only one.
type LastEpoch = Option<Arc<str>>;

/// Ends the dispatcher within a tick when dropped.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Dispatcher {
    /// Starts the thread. The receiver resolves when the thread exits, for any reason.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(crate) fn start(self) -> std::io::Result<(Stop, oneshot::Receiver<()>)> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let (running, ended) = oneshot::channel();
        thread::Builder::new().name("subscriber".to_owned()).spawn(move || {
            let _running = running; // dropped by a panic as well
            self.run(&stopped);
        })?;
        Ok((Stop(stop), ended))
    }

    /// Subscribes, and resubscribes after each loss.
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
                    // Before the first message is handled: from here on, the sequencer tells missed
                    // messages from live ones.
                    self.registry.unsync();
                    self.health.set_subscribed(true);
                    self.commands.retry_now();
                    self.behind.notify_one();
                    let outcome = self.listen(subscription, &mut probe, stop);
                    self.health.set_subscribed(false);
                    self.registry.subscription_lost();
                    let Err(why) = outcome else { return };
                    self.metrics.subscription_lost();
                    tracing::warn!(%why, "subscription lost");
                    // A subscription that breaks immediately must not be retried immediately.
                    if since.elapsed() > REDIS_BACKOFF_MAX {
                        backoff.reset();
                    }
                }
                Err(error) if !is_away => {
                    tracing::warn!(%error, "cannot subscribe; retrying");
                    is_away = true;
                }
                Err(_) => {}
            }
            thread::sleep(backoff.next_wait());
        }
    }

    /// How long a read waits before other duties are checked.
    fn tick(&self) -> Duration {
        let shortest = self.pace.subscription_silence.min(self.pace.subscription_pong_deadline);
        (shortest / 8).clamp(SUBSCRIPTION_TICK_MIN, SUBSCRIPTION_TICK_MAX)
    }

    /// Receives messages until the connection is lost, which is an error, or the hub shuts down.
    fn listen(
        &self,
        mut subscription: Subscription,
        probe: &mut Probe,
        stop: &AtomicBool,
    ) -> Result<(), SubscriptionError> {
        let silence = self.pace.subscription_silence;
        let mut backlog = Backlog::default();
        let mut epoch = LastEpoch::None;
        let mut received_at = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            while let Some(reply) = subscription.take()? {
                self.enqueue(reply, &mut backlog);
            }
            if !backlog.is_empty() {
                self.deliver(&mut backlog, &mut epoch, received_at);
                // Redis first: it disconnects a subscriber for what it has to buffer.
                if !backlog.is_empty() && subscription.read_now()? {
                    received_at = Instant::now();
                }
                continue;
            }
            if subscription.read()? {
                received_at = Instant::now();
                self.message_arrived(received_at, probe);
                continue;
            }
            // A silent subscription is reported as soon as it receives again.
            let wait = if self.health.is_deaf() { Duration::ZERO } else { silence };
            if received_at.elapsed() >= wait && self.check(&mut subscription, probe)? {
                received_at = Instant::now();
            }
        }
        Ok(())
    }

    /// Queues a message; beyond the bound, all queued messages are dropped.
    fn enqueue(&self, reply: Reply, backlog: &mut Backlog) {
        let Reply::Message { channel, payload } = reply else { return };
        let is_event = channel == EVENTS_CHANNEL.as_bytes();
        if let Some(dropped) = backlog.push(payload, is_event) {
            self.metrics.undelivered(Undelivered::Shed, dropped as u64);
            tracing::warn!(dropped, "cannot keep up; every user is brought up to date");
            self.registry.unsync();
            self.behind.notify_one();
        }
    }

    /// Handles some of the queued messages and writes to the sockets afterwards: messages that
    /// arrived together for a socket are sent together.
    fn deliver(&self, backlog: &mut Backlog, epoch: &mut LastEpoch, received_at: Instant) {
        let mut flush = Flush::received(received_at, self.metrics.clone());
        for _ in 0..DELIVER_MESSAGES_MAX {
            let Some((payload, is_event)) = backlog.pop() else { break };
            if is_event {
                self.metrics.message_received(Channel::Events);
                self.handle_event(&payload, &mut flush);
            } else {
                self.metrics.message_received(Channel::Notifications);
                self.handle_notification(&payload, epoch, &mut flush);
            }
        }
        flush.flush();
    }

    fn handle_notification(&self, payload: &Bytes, last: &mut LastEpoch, flush: &mut Flush) {
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
            // Other services publish on this channel too; the hub is not to be blamed for their
            // errors.
            Err(why) => {
                self.metrics.undelivered(Undelivered::Unreadable, 1);
                tracing::debug!(why, "a message cannot be delivered");
            }
        }
    }

    fn handle_event(&self, payload: &[u8], flush: &mut Flush) {
        match ChannelEvent::parse(payload) {
            Ok(ChannelEvent::Change { user_id, change, unread }) => {
                self.registry.change(&user_id, change, unread, flush);
            }
            // A probe has served its purpose once received, from whichever hub.
            Ok(ChannelEvent::Probe { .. } | ChannelEvent::Other) => {}
            // Only Bellwire publishes on this channel, so an invalid event gets a line, but not one
            // per event.
            Err(why) => {
                let count = self.metrics.invalid_event();
                if count.is_power_of_two() {
                    tracing::warn!(why, count, "invalid events");
                }
            }
        }
    }
}
