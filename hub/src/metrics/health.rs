//! The hub's readiness for `/readyz`: it can verify tokens, and it receives from Redis.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use native::ops::Ready;
use native::redis::{Commands, Master};
use shared::{Code, Error};

use crate::limits::REDIS_RECENT;

/// Written by the tasks that talk to Redis, read by `/readyz`. The values are independent of each
/// other, hence relaxed atomics; the text is for `/readyz` only.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    subscribed: AtomicBool,
    /// Why there is no subscription, or not to every server; empty if nothing failed yet.
    unsubscribed: Mutex<String>,
    /// A probe was missed, and no message has arrived since.
    deaf: AtomicBool,
    draining: AtomicBool,
    /// No key is configured, so every handshake is rejected.
    keyless: AtomicBool,
    /// Why there are no keys from the identity provider; empty: there are, or there is none.
    unprovided: Mutex<String>,
    /// Time of Redis's last answer, in milliseconds after `started`.
    answered_ms: AtomicU64,
    /// Commands that Redis denies to the hub's user; empty if none is known.
    refused: Mutex<String>,
    /// What is wrong with the settings, as Redis and the functions tell; empty if nothing is known.
    mistaken: Mutex<Mistakes>,
    /// They know the masters of a cluster. Weak, since they report to this.
    commands: OnceLock<Weak<Commands>>,
}

/// Settings that do not fit to other parts.
#[derive(Debug, Default)]
struct Mistakes {
    /// The server of a `redis://` URL is a node of a cluster.
    is_node: bool,
    /// What the functions publish on other channels than this hub hears.
    live: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            subscribed: AtomicBool::new(false),
            unsubscribed: Mutex::default(),
            deaf: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            keyless: AtomicBool::new(false),
            unprovided: Mutex::default(),
            answered_ms: AtomicU64::new(0),
            refused: Mutex::default(),
            mistaken: Mutex::default(),
            commands: OnceLock::new(),
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

    /// Sets why not every server is subscribed, if that is so.
    pub(crate) fn set_unheard(&self, why: Option<String>) {
        self.subscribed.store(why.is_none(), Relaxed);
        self.set_unsubscribed(why.unwrap_or_default());
    }

    /// Sets why there is no subscription; true if it is another reason than before. Numbers do not
    /// count: an expired certificate is one second older each time.
    pub(crate) fn set_unsubscribed(&self, why: String) -> bool {
        let reason = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        let mut known = self.unsubscribed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = reason(&known) != reason(&why);
        *known = why;
        is_news
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

    /// Notes why there are no keys from the identity provider.
    pub(crate) fn set_unprovided(&self, problem: Option<&str>) {
        let mut unprovided = self.unprovided.lock().unwrap_or_else(PoisonError::into_inner);
        problem.unwrap_or_default().clone_into(&mut unprovided);
    }

    /// Sets whether the only server is a node of a cluster; true if that is news.
    pub(crate) fn set_node_of_cluster(&self, is_node: bool) -> bool {
        let mut mistaken = self.mistaken.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut mistaken.is_node, is_node) != is_node && is_node
    }

    /// Sets why the functions' publications are not heard; true if it is another reason than before.
    pub(crate) fn set_live_problem(&self, problem: Option<String>) -> bool {
        let mut mistaken = self.mistaken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = problem.is_some() && mistaken.live != problem;
        mistaken.live = problem;
        is_news
    }

    /// No token can be verified until the hub is restarted.
    pub(crate) fn set_keyless(&self) {
        self.keyless.store(true, Relaxed);
    }

    pub(crate) fn set_commands(&self, commands: &Arc<Commands>) {
        let _ = self.commands.set(Arc::downgrade(commands));
    }

    /// The masters: one Redis, or those that are known.
    pub(crate) fn masters(&self) -> Vec<Master> {
        self.commands().map(|commands| commands.masters()).unwrap_or_default()
    }

    fn commands(&self) -> Option<Arc<Commands>> {
        self.commands.get().and_then(Weak::upgrade)
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

    /// Time since Redis's last answer, or since the hub's start if there was none; with several
    /// masters, since that of the longest silent one.
    pub(crate) fn answer_age(&self) -> Duration {
        let age =
            Duration::from_millis(self.now_ms().saturating_sub(self.answered_ms.load(Relaxed)));
        self.masters().into_iter().map(|master| master.silent_for).max().unwrap_or(age)
    }

    fn now_ms(&self) -> u64 {
        self.ms_of(Instant::now())
    }

    fn ms_of(&self, now: Instant) -> u64 {
        let after = now.saturating_duration_since(self.started);
        u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is wrong with a `redis://` URL of a node of a cluster.
pub(crate) const NODE_OF_CLUSTER: &str =
    "Redis: this is a node of a cluster: use redis+cluster://… in the Redis URL";

impl Health {
    /// Permissions and settings fit.
    fn fits(&self) -> Result<(), Error> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mistaken = self.mistaken.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = match &*mistaken {
            _ if !refused.is_empty() => format!("the Redis user lacks permissions: {refused}"),
            Mistakes { is_node: true, .. } => NODE_OF_CLUSTER.to_owned(),
            Mistakes { live: Some(problem), .. } => problem.clone(),
            Mistakes { is_node: false, live: None } => return Ok(()),
        };
        Err(Error::new(Code::NotReady, problem))
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
            let detail = "auth: no key is configured: set AUTH_HS256_KEY, AUTH_JWKS, or their files, or \
                 AUTH_JWKS_URL or AUTH_ISSUER";
            return Err(Error::new(Code::AuthNotConfigured, detail));
        }
        let unprovided = self.unprovided.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !unprovided.is_empty() {
            let detail = format!("auth: no keys from the identity provider: {unprovided}");
            return Err(Error::new(Code::AuthUnavailable, detail));
        }
        if !self.is_subscribed() {
            let why = self.unsubscribed.lock().unwrap_or_else(PoisonError::into_inner);
            let colon = if why.is_empty() { "" } else { ": " };
            let detail = format!("the hub is not subscribed to notifications{colon}{why}");
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        if self.is_deaf() {
            let detail = "the subscription does not receive publications";
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        // Its users would be accepted, and see nothing: another hub may reach it.
        if let Some(master) = self.commands().and_then(|commands| commands.silent_master()) {
            let Master { server, silent_for, .. } = master;
            let detail =
                format!("Redis at {server} has not answered for {} ms", silent_for.as_millis());
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        let silent = self.answer_age();
        if silent > REDIS_RECENT {
            let detail = format!("Redis has not answered for {} ms", silent.as_millis());
            return Err(Error::new(Code::RedisUnavailable, detail));
        }
        if let Some(gap) = self.commands().and_then(|commands| commands.gap()) {
            return Err(Error::new(Code::RedisUnavailable, format!("Redis: {gap}")));
        }
        self.fits()
    }
}
