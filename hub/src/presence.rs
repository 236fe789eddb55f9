//! Who is online, told to the set `online_users`, which other services read too.
//!
//! One task owns it and works off differences to the desired state in batches; a beat tells
//! everyone's state again, so that the set is right after a flush, and keeps it from expiring: when
//! the last hub is gone, it goes as well. What is written is the inside of `Presence::write` and
//! `Presence::beat`; nothing else knows.
//!
//! A user who leaves this hub is taken out of the set although another hub may hold them; that
//! hub's beat puts them back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::RedisResult;
use shared::UserId;
use shared::keys::ONLINE_USERS;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::commands::Commands;
use crate::limits::{PRESENCE_BEAT, PRESENCE_CHANGES_MAX, PRESENCE_PAGE_USERS, PRESENCE_TTL};
use crate::registry::Registry;

/// Changes gather this long: a herd of sockets costs a few commands, and nobody notices the delay.
const GATHER: Duration = Duration::from_millis(5);

/// The desired state, as far as Redis may not know it.
#[derive(Default)]
pub struct Presence {
    // A plain lock: held for map work, never across an await.
    changes: Mutex<HashMap<UserId, bool>>,
    changed: Notify,
}

impl Presence {
    /// A user's first socket came, or the last one left. The caller holds the user's lock, so that
    /// changes of one user arrive in order.
    pub fn set(&self, user: &UserId, online: bool) {
        let mut changes = self.changes.lock();
        if changes.len() < PRESENCE_CHANGES_MAX {
            changes.insert(user.clone(), online);
        }
        drop(changes);
        self.changed.notify_one();
    }

    /// Works until `stop`.
    pub async fn run(&self, redis: &Commands, registry: &Arc<Registry>, stop: CancellationToken) {
        let mut reporter = Reporter::default();
        let mut beats = interval(PRESENCE_BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                _ = beats.tick() => self.beat(redis, registry).await,
                () = self.changed.notified() => {
                    sleep(GATHER).await;
                    self.flush(redis).await
                }
            };
            if outcome.is_err() {
                registry.metrics.presence_failed();
            }
            reporter.note(outcome);
        }
    }

    /// Takes everyone who is left out of the set: the last act of a hub that ends.
    pub async fn release(&self, redis: &Commands, registry: &Registry) {
        for users in registry.users() {
            users.iter().for_each(|user| self.set(user, false));
        }
        if let Err(error) = self.flush(redis).await {
            tracing::warn!(%error, "cannot release presence; it expires by itself");
        }
    }

    /// Writes what has changed; what could not be written is kept, unless it has changed again.
    async fn flush(&self, redis: &Commands) -> RedisResult<()> {
        loop {
            let page: Vec<(UserId, bool)> = {
                let mut changes = self.changes.lock();
                let users: Vec<UserId> =
                    changes.keys().take(PRESENCE_PAGE_USERS).cloned().collect();
                users.iter().filter_map(|user| changes.remove_entry(user)).collect()
            };
            if page.is_empty() {
                return Ok(());
            }
            if let Err(error) = Self::write(redis, &page).await {
                let mut changes = self.changes.lock();
                for (user, online) in page {
                    changes.entry(user).or_insert(online);
                }
                return Err(error);
            }
        }
    }

    async fn write(redis: &Commands, page: &[(UserId, bool)]) -> RedisResult<()> {
        let mut pipeline = redis::pipe();
        for (command, wanted) in [("SREM", false), ("SADD", true)] {
            let users = page.iter().filter(|(_, online)| *online == wanted);
            let users: Vec<&str> = users.map(|(user, _)| user.as_str()).collect();
            if !users.is_empty() {
                pipeline.cmd(command).arg(ONLINE_USERS).arg(users).ignore();
            }
        }
        if page.iter().any(|(_, online)| *online) {
            let ttl_ms = PRESENCE_TTL.as_millis() as u64;
            pipeline.cmd("PEXPIRE").arg(ONLINE_USERS).arg(ttl_ms).ignore();
        }
        redis.query(&pipeline).await
    }

    async fn beat(&self, redis: &Commands, registry: &Registry) -> RedisResult<()> {
        self.flush(redis).await?;
        let mut page = Vec::with_capacity(PRESENCE_PAGE_USERS);
        for users in registry.users() {
            for user in users {
                page.push((user, true));
                if page.len() == PRESENCE_PAGE_USERS {
                    Self::write(redis, &page).await?;
                    page.clear();
                }
            }
        }
        if !page.is_empty() {
            return Self::write(redis, &page).await;
        }
        // Nobody is here: the beat still finds out whether Redis answers.
        redis.query(redis::pipe().cmd("PING").ignore()).await
    }
}

/// Logs a failure once, not with every beat of an outage.
#[derive(Default)]
struct Reporter {
    is_failing: bool,
}

impl Reporter {
    fn note(&mut self, outcome: RedisResult<()>) {
        match &outcome {
            Ok(()) if self.is_failing => tracing::info!("presence is written again"),
            Err(error) if !self.is_failing => tracing::warn!(%error, "cannot write presence"),
            _ => {}
        }
        self.is_failing = outcome.is_err();
    }
}
