//! What `/readyz` says: whether the hub can verify tokens and hears Redis.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::{Code, Error};

use crate::limits::REDIS_RECENT;

/// Written by whoever talks to Redis, read by `/readyz`. Single words that stand for themselves,
/// hence relaxed atomics; the text is for `/readyz` alone.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    subscribed: AtomicBool,
    /// A probe was not heard, and nothing since.
    deaf: AtomicBool,
    draining: AtomicBool,
    /// No key is configured, so nobody gets in.
    keyless: AtomicBool,
    /// Milliseconds after `started`.
    answered_ms: AtomicU64,
    /// Commands that Redis refuses to the hub's user; empty as long as none is known.
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
    /// Whether notifications arrive from the channel.
    pub(crate) fn set_subscribed(&self, subscribed: bool) {
        self.subscribed.store(subscribed, Relaxed);
        if subscribed {
            self.redis_answered();
        }
    }

    /// Whether what is published does not arrive although the subscription stands; outlives the
    /// subscription, since the next one may be no better.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Relaxed);
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Relaxed)
    }

    /// The hub is about to end.
    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Which commands Redis refuses; says whether that is news, and worse than nothing.
    pub(crate) fn set_refused(&self, commands: String) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = !commands.is_empty() && *refused != commands;
        *refused = commands;
        is_news
    }

    /// No token can be verified, for as long as the hub runs.
    pub(crate) fn set_keyless(&self) {
        self.keyless.store(true, Relaxed);
    }

    pub(crate) fn redis_answered(&self) {
        self.redis_answered_at(Instant::now());
    }

    /// For who knows what time it is.
    pub(crate) fn redis_answered_at(&self, now: Instant) {
        self.answered_ms.store(self.ms_of(now), Relaxed);
    }

    /// Whether the subscription stands.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.subscribed.load(Relaxed)
    }

    /// How long ago Redis answered; before it ever did, how long the hub has been running.
    pub(crate) fn answer_age(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.answered_ms.load(Relaxed)))
    }

    /// # Errors
    /// Why no new socket should come here.
    pub(crate) fn ready(&self) -> Result<(), Error> {
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
            let detail = "the hub does not hear what is published";
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let silent = self.answer_age();
        if silent > REDIS_RECENT {
            let detail = format!("Redis has not answered for {} ms", silent.as_millis());
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused.is_empty() {
            return Err(Error::new(Code::NotReady, format!("the Redis user may not: {refused}")));
        }
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.ms_of(Instant::now())
    }

    fn ms_of(&self, now: Instant) -> u64 {
        let after = now.saturating_duration_since(self.started);
        u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
    }
}
