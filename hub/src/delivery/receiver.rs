//! Receives from one subscribed connection: every message goes to the registry, everything else to
//! the connection's owner ([`Line`]). The hub never stops reading, because Redis disconnects a slow
//! subscriber: messages beyond the hub's capacity are dropped here, and every user is brought up to
//! date from the feeds.
//!
//! After some silence it checks that the subscription still receives (`probe.rs`).
//!
//! Runs on a blocking thread of its own: no other task and no event loop is woken between the read
//! from Redis and the write to a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use native::redis::Commands;
use redis::Pipeline;
use shared::keys::EVENTS_CHANNEL;
use shared::trace;
use shared::wire::{ChannelEvent, Message, Position};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::config::Pace;
use crate::delivery::probe::Probe;
use crate::delivery::pubsub_backlog::Backlog;
use crate::limits::{DELIVER_MESSAGES_MAX, SUBSCRIPTION_TICK_MAX, SUBSCRIPTION_TICK_MIN};
use crate::metrics::{Channel, Metrics, Undelivered};
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};
use crate::redis::pubsub_parser::Reply;
use crate::users::Registry;
use crate::users::user::Flush;

/// What is specific to one kind of subscription. Unless it says otherwise, it is one to the channels
/// of all users, `bw:events` among them.
pub(crate) trait Line {
    /// Whether replies other than messages matter.
    const IS_CONTROLLED: bool = false;

    /// Handles replies that are no messages, and removes them.
    fn control(&self, _replies: &mut Vec<Reply>) {}

    /// Whether a message is an event.
    fn is_event(&self, channel: &[u8], _payload: &[u8]) -> bool {
        channel == EVENTS_CHANNEL.as_bytes()
    }

    /// The command that publishes a probe; `None` if the connection is not subscribed to a channel
    /// for it. Never on `notifications`: existing services would not understand it.
    fn probe(&self, text: String) -> Option<Pipeline> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PUBLISH").arg(EVENTS_CHANNEL).arg(text).ignore();
        Some(pipeline)
    }

    /// Whether probes fail to arrive. It outlives a connection, since the next one may be no better.
    fn is_deaf(&self) -> bool;

    fn set_deaf(&self, is_deaf: bool);

    /// Redis sent something at this time.
    fn heard(&self, now: Instant);

    /// Whether the connection leads to a server that is no longer the right one.
    fn is_outdated(&self) -> bool;

    /// Handles a message instead of the registry, and says so.
    fn take(&self, _payload: &Bytes, _is_event: bool) -> bool {
        false
    }
}

/// What every subscribed connection needs.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) registry: Arc<Registry>,
    pub(crate) commands: Arc<Commands>,
    /// The runtime that commands run on.
    pub(crate) runtime: Handle,
    pub(crate) pace: Pace,
    /// Notified each time users may have missed messages: the subscription is (again) established,
    /// or messages were dropped.
    pub(crate) behind: Arc<Notify>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The epoch received last, shared by all users: there is nearly always only one.
type LastEpoch = Option<Arc<str>>;

/// The epoch, in the memory of the last one if it is the same.
fn shared_epoch(last: &mut LastEpoch, epoch: &str) -> Arc<str> {
    match last {
        Some(last) if **last == *epoch => last.clone(),
        _ => last.insert(epoch.into()).clone(),
    }
}

impl Receiver {
    /// How long a read waits before other duties are checked.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = self.pace.subscription_silence.min(self.pace.subscription_pong_deadline);
        (shortest / 8).clamp(SUBSCRIPTION_TICK_MIN, SUBSCRIPTION_TICK_MAX)
    }

    /// Receives messages until the connection is lost, which is an error, or `stop` is set.
    pub(crate) fn listen<L: Line>(
        &self,
        line: &L,
        mut subscription: Subscription,
        probe: &mut Probe,
        stop: &AtomicBool,
    ) -> Result<(), SubscriptionError> {
        let silence = self.pace.subscription_silence;
        let mut backlog = Backlog::default();
        let mut others = Vec::new();
        let mut epoch = LastEpoch::None;
        let mut received_at = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            while let Some(reply) = subscription.take()? {
                self.enqueue(line, reply, &mut backlog, &mut others);
            }
            if !others.is_empty() {
                line.control(&mut others);
            }
            if !backlog.is_empty() {
                self.deliver(line, &mut backlog, &mut epoch, received_at);
                // Redis first: it disconnects a subscriber for what it has to buffer.
                if !backlog.is_empty() && subscription.read_now()? {
                    received_at = Instant::now();
                }
                continue;
            }
            if subscription.read()? {
                received_at = Instant::now();
                if !L::IS_CONTROLLED || subscription.holds_message() {
                    self.message_arrived(line, received_at, probe);
                } else {
                    line.heard(received_at);
                }
                continue;
            }
            if line.is_outdated() {
                return Err(SubscriptionError::Outdated);
            }
            // A silent subscription is reported as soon as it receives again.
            let wait = if line.is_deaf() { Duration::ZERO } else { silence };
            if received_at.elapsed() >= wait && self.check(line, &mut subscription, probe)? {
                received_at = Instant::now();
            }
        }
        Ok(())
    }

    /// Queues a message; beyond the bound, all queued messages are dropped.
    fn enqueue<L: Line>(
        &self,
        line: &L,
        reply: Reply,
        backlog: &mut Backlog,
        others: &mut Vec<Reply>,
    ) {
        let Reply::Message { channel, payload } = reply else {
            if L::IS_CONTROLLED {
                others.push(reply);
            }
            return;
        };
        let is_event = line.is_event(&channel, &payload);
        if let Some(dropped) = backlog.push(payload, is_event) {
            self.metrics.undelivered(Undelivered::Shed, dropped as u64);
            tracing::warn!(dropped, "cannot keep up; every user is brought up to date");
            self.registry.unsync();
            self.behind.notify_one();
        }
    }

    /// Handles some of the queued messages and writes to the sockets afterwards: messages that
    /// arrived together for a socket are sent together.
    fn deliver<L: Line>(
        &self,
        line: &L,
        backlog: &mut Backlog,
        epoch: &mut LastEpoch,
        received_at: Instant,
    ) {
        let mut flush = Flush::received(received_at, self.metrics.clone());
        for _ in 0..DELIVER_MESSAGES_MAX {
            let Some((payload, is_event)) = backlog.pop() else { break };
            if line.take(&payload, is_event) {
                continue;
            }
            if is_event {
                self.metrics.message_received(Channel::Events);
                self.handle_event(&payload, epoch, &mut flush);
            } else {
                self.metrics.message_received(Channel::Notifications);
                self.handle_notification(&payload, epoch, &mut flush);
            }
        }
        flush.flush();
    }

    fn handle_notification(&self, payload: &Bytes, last: &mut LastEpoch, flush: &mut Flush) {
        match Message::parse(payload) {
            Ok(Message { user_id, notification, position, trace }) => {
                let seq = position.as_ref().map_or(0, |(_, seq)| *seq);
                let position = position
                    .map(|(epoch, seq)| Position { epoch: shared_epoch(last, &epoch), seq });
                let notification = payload.slice_ref(notification.as_bytes());
                let is_here = self.registry.deliver(&user_id, notification, position, flush);
                if let Some(trace) = trace.filter(|_| is_here) {
                    let (trace_id, parent_id) = trace::ids(trace);
                    tracing::info!(
                        trace_id,
                        parent_id,
                        seq,
                        "a traced notification reached its user"
                    );
                }
            }
            // Other services publish on this channel too; the hub is not to be blamed for their
            // errors.
            Err(why) => {
                self.metrics.undelivered(Undelivered::Unreadable, 1);
                tracing::debug!(why, "a message cannot be delivered");
            }
        }
    }

    fn handle_event(&self, payload: &[u8], last: &mut LastEpoch, flush: &mut Flush) {
        match ChannelEvent::parse(payload) {
            Ok(ChannelEvent::Change { user_id, change, unread }) => {
                self.registry.change(&user_id, change, unread, flush);
            }
            Ok(ChannelEvent::Quiet { user_id, epoch, first, seq }) => {
                let position = Position { epoch: shared_epoch(last, &epoch), seq };
                self.registry.pass_over(&user_id, first, position, flush);
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
