//! The subscription: one dedicated connection that hears the channels and hands every message to
//! the registry, which never makes it wait (a subscriber that is slow to read is cut off by Redis).
//!
//! It finds out by itself when it is deaf: after some silence it asks, and reconnects when there is
//! no answer. A half-open connection would otherwise look healthy for ever.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisResult, Value};
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use shared::wire::{ChannelEvent, Message};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::commands::Commands;
use crate::config::Pace;
use crate::health::Health;
use crate::limits::{DELIVER_MESSAGES_MAX, REDIS_BACKOFF_MAX, REDIS_CONNECT_DEADLINE};
use crate::metrics::{Channel, Metrics, Undelivered};
use crate::registry::Registry;
use crate::user::Flush;

pub struct Subscriber {
    pub client: Client,
    pub registry: Arc<Registry>,
    pub commands: Arc<Commands>,
    pub health: Arc<Health>,
    pub pace: Pace,
    /// Told each time the subscription stands (again).
    pub subscribed: Arc<Notify>,
    pub metrics: Arc<Metrics>,
}

impl Subscriber {
    /// Subscribes, again and again; ends only by being dropped.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        let mut is_away = false;
        loop {
            match self.subscribe().await {
                Ok((sink, stream)) => {
                    tracing::info!("subscribed to notifications");
                    is_away = false;
                    let since = Instant::now();
                    // Before the first message is looked at: from here on, what was missed is
                    // told from what is live.
                    self.registry.unsync();
                    self.health.set_subscribed(true);
                    self.commands.retry_now();
                    self.subscribed.notify_one();
                    let why = self.listen(sink, stream).await;
                    self.health.set_subscribed(false);
                    self.metrics.subscription_lost();
                    tracing::warn!(why, "the subscription was lost");
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

    async fn subscribe(&self) -> RedisResult<(PubSubSink, PubSubStream)> {
        let subscribing = async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(&[NOTIFICATIONS_CHANNEL, EVENTS_CHANNEL]).await?;
            Ok((sink, stream))
        };
        // redis-rs sets no timeouts of its own on this kind of connection.
        match timeout(REDIS_CONNECT_DEADLINE, subscribing).await {
            Ok(outcome) => outcome,
            Err(_) => Err((redis::ErrorKind::Io, "no subscription in time").into()),
        }
    }

    /// Hears messages until the connection is lost; says why it was.
    async fn listen(&self, mut sink: PubSubSink, mut stream: PubSubStream) -> &'static str {
        loop {
            match timeout(self.pace.subscription_silence, stream.next()).await {
                Ok(Some(message)) => self.hear_all(&message, &mut stream),
                Ok(None) => return "the connection was closed",
                Err(_) => {
                    let deadline = self.pace.subscription_pong_deadline;
                    let pong = timeout(deadline, sink.ping::<Value>());
                    tokio::select! {
                        pong = pong => match pong {
                            Ok(Ok(_)) => self.health.redis_answered(),
                            Ok(Err(_)) => return "the connection broke",
                            Err(_) => return "the connection is silent",
                        },
                        // A message is as good an answer.
                        message = stream.next() => match message {
                            Some(message) => self.hear_all(&message, &mut stream),
                            None => return "the connection was closed",
                        },
                    }
                }
            }
        }
    }

    /// A message, and what has arrived behind it: sockets are written to afterwards.
    fn hear_all(&self, first: &Msg, stream: &mut PubSubStream) {
        self.health.redis_answered();
        let mut flush = Flush::default();
        self.hear(first, &mut flush);
        for _ in 1..DELIVER_MESSAGES_MAX {
            let Some(Some(message)) = stream.next().now_or_never() else { break };
            self.hear(&message, &mut flush);
        }
    }

    fn hear(&self, message: &Msg, flush: &mut Flush) {
        if message.get_channel_name() == EVENTS_CHANNEL {
            self.metrics.heard(Channel::Events);
            return self.hear_event(message.get_payload_bytes(), flush);
        }
        self.metrics.heard(Channel::Notifications);
        match Message::parse(message.get_payload_bytes()) {
            Ok(message) => self.registry.deliver(message, flush),
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
            Ok(ChannelEvent::Other) => {}
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
