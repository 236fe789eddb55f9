//! Publishes messages on their users' own channels, each user's one after the other.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use native::redis::Commands;
use redis::RedisResult;
use shared::script::BRIDGE_FORWARD;
use shared::wire::Message;
use shared::{UserId, keys};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::delivery::own::EVENT_START;
use crate::limits::{BRIDGE_ID_TTL, BRIDGE_QUEUE_MAX, BRIDGE_WORKERS};
use crate::metrics::{Bridged, Metrics};

/// The messages of one period of holding the lease.
pub(super) struct Forwarder {
    workers: Vec<mpsc::Sender<(UserId, Bytes)>>,
    hasher: RandomState,
    /// The end of the lease on Redis' clock, in milliseconds since the Unix epoch.
    until_ms: Arc<AtomicI64>,
    metrics: Arc<Metrics>,
}

impl Forwarder {
    /// Its tasks end when it is dropped and their messages are handled.
    pub(super) fn start(
        redis: Arc<Commands>,
        metrics: Arc<Metrics>,
        runtime: &Handle,
    ) -> Arc<Self> {
        let until_ms = Arc::new(AtomicI64::new(0));
        let workers = (0..BRIDGE_WORKERS).map(|_| {
            let (sender, messages) = mpsc::channel(BRIDGE_QUEUE_MAX);
            let worker = Worker {
                redis: redis.clone(),
                metrics: metrics.clone(),
                until_ms: until_ms.clone(),
                name: format!("{:016x}", fastrand::u64(..)),
            };
            runtime.spawn(worker.run(messages));
            sender
        });
        let workers = workers.collect();
        Arc::new(Self { workers, hasher: RandomState::new(), until_ms, metrics })
    }

    /// The lease was renewed.
    pub(super) fn renew(&self, until_ms: i64) {
        self.until_ms.store(until_ms, Ordering::SeqCst);
    }

    /// Takes a message of the channel `notifications`. Bellwire's are left out: the functions publish
    /// them on the users' channels as well.
    pub(super) fn take(&self, payload: &Bytes) {
        let user = match Message::parse(payload) {
            Ok(Message { position: Some(_), .. }) => return self.metrics.bridged(Bridged::Ours),
            Ok(message) => UserId::parse(&message.user_id),
            Err(_) => return self.metrics.bridged(Bridged::Unreadable),
        };
        let Ok(user) = user else { return self.metrics.bridged(Bridged::Unreadable) };
        let at = self.hasher.hash_one(user.as_str()) as usize % self.workers.len().max(1);
        // Copied, because it shares a buffer with everything received at the same time. One that
        // begins as Bellwire's events do gets a space in front: another service must not be taken
        // for Bellwire, and JSON may begin with one.
        let message = match payload.starts_with(EVENT_START) {
            true => Bytes::from([b" ", payload.as_ref()].concat()),
            false => Bytes::copy_from_slice(payload),
        };
        let message = (user, message);
        match self.workers.get(at).map(|worker| worker.try_send(message)) {
            Some(Err(TrySendError::Full(_))) => self.metrics.bridged(Bridged::Shed),
            Some(Err(TrySendError::Closed(_))) | None => self.metrics.bridged(Bridged::Failed),
            Some(Ok(())) => {}
        }
    }
}

struct Worker {
    redis: Arc<Commands>,
    metrics: Arc<Metrics>,
    until_ms: Arc<AtomicI64>,
    /// With a number, the id of a message.
    name: String,
}

impl Worker {
    async fn run(self, mut messages: mpsc::Receiver<(UserId, Bytes)>) {
        let mut number = 0_u64;
        while let Some((user, payload)) = messages.recv().await {
            number += 1;
            let outcome = match self.forward(&user, &payload, number).await {
                Ok(1) => Bridged::Forwarded,
                Ok(_) => Bridged::Late,
                Err(error) => {
                    tracing::debug!(%error, "cannot forward a message");
                    Bridged::Failed
                }
            };
            self.metrics.bridged(outcome);
        }
    }

    async fn forward(&self, user: &UserId, payload: &Bytes, number: u64) -> RedisResult<i64> {
        let (feed, bridged) = (keys::feed(user), keys::bridged(user));
        let until_ms = self.until_ms.load(Ordering::SeqCst);
        let args = [
            Cow::Owned(until_ms.to_string()),
            Cow::Owned(format!("{}:{number}", self.name)),
            Cow::Owned(BRIDGE_ID_TTL.as_millis().to_string()),
            String::from_utf8_lossy(payload),
        ];
        self.redis.script(&BRIDGE_FORWARD, &[&feed, &bridged], &args).await
    }
}
