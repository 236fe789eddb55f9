//! The hub's readiness for `/readyz`: it can verify tokens, and it receives from Redis.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use native::ops::Ready;
use shared::{Code, Error};

use crate::limits::REDIS_RECENT;

/// Written by the tasks that talk to Redis, read by `/readyz`. The values are independent of each
/// other, hence relaxed atomics; the text is for `/readyz` only.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    subscribed: AtomicBool,
    /// A probe was missed, and no message has arrived since.
    deaf: AtomicBool,
    draining: AtomicBool,
    /// No key is configured, so every handshake is rejected.
    keyless: AtomicBool,
    /// Time of Redis's last answer, in milliseconds after `started`.
    answered_ms: AtomicU64,
    /// Commands that Redis denies to the hub's user; empty if none is known.
    refused: Mutex<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            subscribed: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            keyless: AtomicBool::new(false),
            answered_ms: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }
}

impl Health {
    /// Sets whether the subscription is established.
    pub(crate) fn set_subscribed(&self, subscribed: bool) {
        self.subscribed.store(subscribed, Relaxed);
        if subscribed {
            self.redis_answered();
        }
    }

    /// Sets whether publications fail to arrive although the subscription is established. The flag
    /// outlives the subscription, since the next one may be no better.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Relaxed);
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Relaxed)
    }

    /// The hub is shutting down.
    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Sets the commands that Redis denies; true if the value is new and not empty.
    pub(crate) fn set_refused(&self, commands: String) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = !commands.is_empty() && *refused != commands;
        *refused = commands;
        is_news
    }

    /// No token can be verified until the hub is restarted.
    pub(crate) fn set_keyless(&self) {
        self.keyless.store(true, Relaxed);
    }

    pub(crate) fn redis_answered(&self) {
        self.redis_answered_at(Instant::now());
    }

    /// For callers that already know the time.
    pub(crate) fn redis_answered_at(&self, now: Instant) {
        self.answered_ms.store(self.ms_of(now), Relaxed);
    }

    /// Whether the subscription is established.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.subscribed.load(Relaxed)
    }

    /// Time since Redis's last answer, or since the hub's start if there was none.
    pub(crate) fn answer_age(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.answered_ms.load(Relaxed)))
    }

    fn now_ms(&self) -> u64 {
        self.ms_of(Instant::now())
    }

    fn ms_of(&self, now: Instant) -> u64 {
        let after = now.saturating_duration_since(self.started);
        u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Ready for Health {
    /// # Errors
    /// Why the hub should get no new sockets.
    fn ready(&self) -> Result<(), Error> {
        if self.draining.load(Relaxed) {
            return Err(Error::new(Code::NotReady, "the hub is shutting down"));
        }
        if self.keyless.load(Relaxed) {
            let detail =
                "auth: no key is configured: set AUTH_HS256_KEY or AUTH_JWKS, or their files";
            return Err(Error::new(Code::AuthNotConfigured, detail));
        }
        if !self.is_subscribed() {
            let detail = "the hub is not subscribed to notifications";
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        if self.is_deaf() {
            let detail = "the subscription does not receive publications";
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let silent = self.answer_age();
        if silent > REDIS_RECENT {
            let detail = format!("Redis has not answered for {} ms", silent.as_millis());
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused.is_empty() {
            return Err(Error::new(
                Code::NotReady,
                format!("the Redis user lacks permissions: {refused}"),
            ));
        }
        Ok(())
    }
}
