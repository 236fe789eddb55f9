//! Writes the online users to the set `online_users`, which other services read and write, too.
//!
//! A user is online while any hub holds one of their sockets, so hubs know of each other: each has
//! a presence lease and a set of its users in Redis, and any hub that finds an expired presence
//! lease removes that hub's users. `shared/lua/presence*.lua` hold the rules, [`lease`] the calls.
//!
//! One task owns it and sends changes in batches. Every beat renews the presence lease, restores
//! members that other services removed, removes the users of dead hubs, and extends the expiry of
//! the set, which disappears when the last hub is gone.
//!
//! Keeps no list of users: it stores the changes not sent yet, and gets the rest from [`Users`].

pub mod lease;
mod pass;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use native::redis::Commands;
use parking_lot::Mutex;
use redis::{ErrorKind, RedisResult};
use shared::UserId;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::config::PresencePace;
use crate::limits::{
    PRESENCE_CALLS_MAX, PRESENCE_CHANGES_MAX, PRESENCE_CHANGES_PAGE_USERS, PRESENCE_RETRY,
};
use crate::metrics::Metrics;
use crate::presence::lease::{Answer, Chores, Incarnation, Scripts};
use crate::presence::pass::Pass;

pub(crate) use crate::presence::lease::hub_of;

/// Time to collect changes: a wave of sockets costs a few commands, and the delay is not
/// noticeable.
const GATHER: Duration = Duration::from_millis(5);

/// All connected users, in parts; calls of [`Presence::set`] after it are newer.
pub trait Users: Sync {
    fn parts(&self) -> impl Iterator<Item = Vec<UserId>> + Send;
}

/// The changes that Redis may not have.
pub struct Presence {
    metrics: Arc<Metrics>,
    pace: PresencePace,
    // A blocking lock, held for map operations, never across an await.
    changes: Mutex<Changes>,
    changed: Notify,
    // An async lock, held across calls, which have to be sequential.
    incarnation: tokio::sync::Mutex<Incarnation>,
    hub_id: String,
}

#[derive(Default)]
struct Changes {
    users: HashMap<UserId, bool>,
    /// Changes were dropped: every user has to be sent.
    is_incomplete: bool,
}

impl Presence {
    pub fn new(pace: PresencePace, metrics: Arc<Metrics>) -> Self {
        let incarnation = Incarnation::new(pace);
        Self {
            pace,
            metrics,
            changes: Mutex::default(),
            changed: Notify::new(),
            hub_id: hub_of(incarnation.id()).to_owned(),
            incarnation: tokio::sync::Mutex::new(incarnation),
        }
    }

    /// The hub's id, the same as long as the process runs. [`hub_of`] finds it in the ids of its
    /// incarnations, of which another one begins whenever the hub or Redis has lost its state.
    pub(crate) fn hub_id(&self) -> &str {
        &self.hub_id
    }

    /// Records a user's first socket, or the loss of the last one. The caller holds the user's
    /// lock, so that changes of one user arrive in order.
    pub fn set(&self, user: &UserId, online: bool) {
        let mut changes = self.changes.lock();
        if changes.users.len() < PRESENCE_CHANGES_MAX || changes.users.contains_key(user) {
            changes.users.insert(user.clone(), online);
        } else {
            changes.is_incomplete = true;
        }
        drop(changes);
        self.changed.notify_one();
    }

    /// Runs until `stop`.
    pub(crate) async fn run(&self, redis: &Commands, users: &impl Users, stop: CancellationToken) {
        // An interrupted call may still be executed; `release` works either way.
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work(redis, users) => {}
        }
    }

    /// Runs for ever.
    pub async fn work(&self, redis: &impl Scripts, users: &impl Users) {
        let mut reporter = Reporter::default();
        let mut beats = interval(self.pace.beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // After a failure, the full pass of a beat follows soon: Redis may have lost
            // everything.
            let is_beat = tokio::select! {
                _ = beats.tick() => true,
                () = sleep(PRESENCE_RETRY), if reporter.is_failing => true,
                () = self.changed.notified(), if !reporter.is_failing => {
                    sleep(GATHER).await;
                    false
                }
            };
            let outcome = self.sync(redis, users, is_beat).await;
            if outcome.is_err() {
                self.metrics.presence_failed();
            }
            reporter.note(outcome);
        }
    }

    /// Removes all users of this hub, as the last step of a shutdown.
    pub(crate) async fn release(&self, redis: &Commands) {
        if let Err(error) = self.leave(redis).await {
            tracing::warn!(%error, "cannot release presence; it expires by itself");
        }
    }

    /// Removes this hub's users, then those of dead hubs, since no other hub may be left to do it.
    ///
    /// # Errors
    /// Redis did not answer, or answered with an error.
    pub async fn leave(&self, redis: &impl Scripts) -> RedisResult<()> {
        let incarnation = self.incarnation.lock().await;
        for _ in 0..PRESENCE_CALLS_MAX {
            if !incarnation.release(redis).await? {
                return Ok(());
            }
        }
        Err((ErrorKind::UnexpectedReturnType, "too many calls to remove users").into())
    }

    /// One pass: sends the changes; a beat also does everything else.
    ///
    /// # Errors
    /// Redis did not answer, or answered with an error. The next pass sends the unconfirmed changes
    /// again.
    pub async fn sync(
        &self,
        redis: &impl Scripts,
        users: &impl Users,
        is_beat: bool,
    ) -> RedisResult<()> {
        let mut incarnation = self.incarnation.lock().await;
        let mut pass = Pass::new(&incarnation, is_beat);
        let mut is_first = is_beat;
        for _ in 0..PRESENCE_CALLS_MAX {
            if incarnation.is_lost() || self.changes.lock().is_incomplete {
                pass.note_resync()?;
                self.send_all_users(&mut incarnation, redis, users).await?;
                // The users of the lost incarnation are removed at once.
                (pass.reaps, is_first) = (true, true);
            }
            let page = self.next_page();
            let chores =
                Chores { restores: pass.restores(), reaps: pass.reaps, ends_former: is_first };
            if page.is_empty() && chores == Chores::default() {
                return Ok(());
            }
            match incarnation.sync(redis, &page, chores).await {
                Ok(Answer::Resync) => tracing::info!("Redis has lost presence; sending every user"),
                Ok(answer) => {
                    is_first = false;
                    pass.note(answer, &mut incarnation);
                }
                Err(error) => {
                    self.put_back(page);
                    return Err(error);
                }
            }
        }
        // More work than one pass may do; the next one continues.
        Ok(())
    }

    /// Begins a new incarnation with all connected users. Later arrivals and departures follow as
    /// changes.
    async fn send_all_users(
        &self,
        incarnation: &mut Incarnation,
        redis: &impl Scripts,
        users: &impl Users,
    ) -> RedisResult<()> {
        // Before the walk: users that it misses arrive as changes.
        *self.changes.lock() = Changes::default();
        incarnation.begin();
        let sent = self.send_parts(incarnation, redis, users).await;
        if sent.is_err() {
            // A partly sent incarnation is treated as lost.
            incarnation.lose();
        }
        sent
    }

    async fn send_parts(
        &self,
        incarnation: &mut Incarnation,
        redis: &impl Scripts,
        users: &impl Users,
    ) -> RedisResult<()> {
        let mut page = Vec::with_capacity(PRESENCE_CHANGES_PAGE_USERS);
        for part in users.parts() {
            for user in part {
                page.push((user, true));
                if page.len() == PRESENCE_CHANGES_PAGE_USERS {
                    if let Answer::Resync =
                        incarnation.sync(redis, &page, Chores::default()).await?
                    {
                        return Ok(());
                    }
                    page.clear();
                }
            }
        }
        // Even without users: the presence lease is needed, too.
        incarnation.sync(redis, &page, Chores::default()).await.map(drop)
    }

    fn next_page(&self) -> Vec<(UserId, bool)> {
        let mut changes = self.changes.lock();
        if changes.users.len() <= PRESENCE_CHANGES_PAGE_USERS {
            return changes.users.drain().collect();
        }
        let users = changes.users.keys().take(PRESENCE_CHANGES_PAGE_USERS);
        let users: Vec<UserId> = users.cloned().collect();
        users.iter().filter_map(|user| changes.users.remove_entry(user)).collect()
    }

    /// Puts unsent changes back, except where a newer one exists.
    fn put_back(&self, page: Vec<(UserId, bool)>) {
        let mut changes = self.changes.lock();
        for (user, online) in page {
            changes.users.entry(user).or_insert(online);
        }
    }
}

/// Logs the first failure of an outage, and its end.
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
