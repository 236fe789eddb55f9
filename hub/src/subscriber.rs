//! The subscription: one dedicated connection that hears the channels and hands every message to
//! the registry, which never makes it wait (a subscriber that is slow to read is cut off by Redis).
//!
//! It finds out by itself when it is deaf: after some silence it publishes a probe the way that
//! notifications take, through the connection for commands, and reconnects when it does not hear
//! it. A half-open connection would otherwise look healthy for ever, and so would one to a server
//! that answers every PING but is no longer the one that others publish to (a failover, a proxy).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, ErrorKind, Msg, Pipeline, RedisResult, ServerErrorKind, Value};
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use shared::wire::{ChannelEvent, Message};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::commands::Commands;
use crate::config::Pace;
use crate::health::Health;
use crate::limits::{PROBES_MISSED_MAX, REDIS_BACKOFF_MAX, REDIS_CONNECT_DEADLINE};
use crate::registry::Registry;

pub struct Subscriber {
    pub client: Client,
    pub registry: Arc<Registry>,
    pub commands: Arc<Commands>,
    pub health: Arc<Health>,
    pub pace: Pace,
    /// Told each time the subscription stands (again).
    pub subscribed: Arc<Notify>,
    /// Messages that could not be delivered to anyone.
    pub undeliverable: AtomicU64,
    /// Events that could not be read.
    pub odd_events: AtomicU64,
}

/// Whether the subscription is alive.
enum Sign {
    Message(Msg),
    /// The connection is; this hub may not publish, so nobody knows whether it delivers.
    Pong,
    End,
    None,
}

/// Makes a hub's probes.
struct Probe {
    /// A random word, for whoever reads the channel.
    hub: String,
    n: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Self { hub: format!("{:016x}", fastrand::u64(..)), n: 0 }
    }
}

impl Probe {
    fn next(&mut self) -> Pipeline {
        self.n += 1;
        let mut pipeline = redis::pipe();
        let probe = ChannelEvent::probe(&self.hub, self.n);
        pipeline.cmd("PUBLISH").arg(EVENTS_CHANNEL).arg(probe).ignore();
        pipeline
    }
}

impl Subscriber {
    /// Subscribes, again and again; ends only by being dropped.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        let mut is_away = false;
        let mut probe = Probe::default();
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
                    let why = self.listen(sink, stream, &mut probe).await;
                    self.health.set_subscribed(false);
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
    async fn listen(
        &self,
        mut sink: PubSubSink,
        mut stream: PubSubStream,
        probe: &mut Probe,
    ) -> &'static str {
        let silence = self.pace.subscription_silence;
        // Who was deaf before shows first that it hears now.
        let mut wait = if self.health.is_deaf() { Duration::ZERO } else { silence };
        let mut missed = 0;
        loop {
            let sign = match timeout(wait, stream.next()).await {
                Ok(Some(message)) => Sign::Message(message),
                Ok(None) => Sign::End,
                Err(_) => self.probe(&mut sink, &mut stream, probe).await,
            };
            match sign {
                Sign::Message(message) => self.hear(&message),
                Sign::Pong => self.health.redis_answered(),
                Sign::End => return "the connection was closed",
                Sign::None => {
                    missed += 1;
                    if !self.health.is_deaf() {
                        tracing::warn!("a probe was not heard; not ready until one is");
                        self.health.set_deaf(true);
                    }
                    if missed == PROBES_MISSED_MAX {
                        return "probes are not heard";
                    }
                    wait = Duration::ZERO;
                    continue;
                }
            }
            (wait, missed) = (silence, 0);
        }
    }

    /// Publishes a probe and waits for a message: any shows that the subscription hears.
    async fn probe(
        &self,
        sink: &mut PubSubSink,
        stream: &mut PubSubStream,
        probe: &mut Probe,
    ) -> Sign {
        let publishing = async {
            match self.commands.query::<()>(&probe.next()).await {
                Ok(()) => {}
                // All that can be asked then is whether the connection is there.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
                    if sink.ping::<Value>().await.is_ok() {
                        return;
                    }
                }
                Err(error) => tracing::debug!(%error, "cannot publish a probe"),
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            heard = timeout(self.pace.subscription_pong_deadline, stream.next()) => match heard {
                Ok(Some(message)) => Sign::Message(message),
                Ok(None) => Sign::End,
                Err(_) => Sign::None,
            },
            () = publishing => Sign::Pong,
        }
    }

    fn hear(&self, message: &Msg) {
        self.health.redis_answered();
        if self.health.is_deaf() {
            self.health.set_deaf(false);
            tracing::info!("the subscription hears again");
        }
        if message.get_channel_name() == EVENTS_CHANNEL {
            return self.hear_event(message.get_payload_bytes());
        }
        match Message::parse(message.get_payload_bytes()) {
            Ok(message) => self.registry.deliver(message),
            // Other services publish here too; what they get wrong is theirs.
            Err(why) => {
                let count = self.undeliverable.fetch_add(1, Relaxed) + 1;
                tracing::debug!(why, count, "a message cannot be delivered");
            }
        }
    }

    fn hear_event(&self, payload: &[u8]) {
        match ChannelEvent::parse(payload) {
            Ok(ChannelEvent::Read { user_id, marked, unread }) => {
                self.registry.mark_read(&user_id, marked, unread);
            }
            // Has done its work by being heard, whosever it is.
            Ok(ChannelEvent::Probe { .. } | ChannelEvent::Other) => {}
            // The channel is ours, so this is worth a line; but never one for each.
            Err(why) => {
                let count = self.odd_events.fetch_add(1, Relaxed) + 1;
                if count.is_power_of_two() {
                    tracing::warn!(why, count, "events cannot be read");
                }
            }
        }
    }
}
