//! Who is online, told to the set `online_users`, which other services read and write too.
//!
//! Users are online while any hub holds a socket of theirs, so hubs know of each other: each has a
//! lease in Redis and a set of its users, and whoever finds that a lease has run out takes that
//! hub's users out. `shared/lua/presence*.lua` hold the rules, [`lease`] the calls.
//!
//! One task owns it and works off differences to the desired state in batches. A beat renews the
//! lease, restores members whom other services took out, takes out the users of dead hubs, and
//! keeps the set from expiring: when the last hub is gone, it goes as well.
//!
//! Keeps no list of users: it remembers what Redis was not told yet, and asks [`Users`] for the
//! rest.

pub mod lease;
mod pass;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

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
use crate::redis::commands::Commands;

/// Changes gather this long: a herd of sockets costs a few commands, and nobody notices the delay.
const GATHER: Duration = Duration::from_millis(5);

/// Everyone who is here, in parts; what [`Presence::set`] tells afterwards is newer.
pub trait Users: Sync {
    fn parts(&self) -> impl Iterator<Item = Vec<UserId>> + Send;
}

/// The desired state, as far as Redis may not know it.
pub struct Presence {
    metrics: Arc<Metrics>,
    pace: PresencePace,
    // A plain lock: held for map work, never across an await.
    changes: Mutex<Changes>,
    changed: Notify,
    // An async lock, held across calls: they are one after the other.
    incarnation: tokio::sync::Mutex<Incarnation>,
}

#[derive(Default)]
struct Changes {
    users: HashMap<UserId, bool>,
    /// Some did not fit: only telling everyone helps.
    is_incomplete: bool,
}

impl Presence {
    pub fn new(pace: PresencePace, metrics: Arc<Metrics>) -> Self {
        Self {
            pace,
            metrics,
            changes: Mutex::default(),
            changed: Notify::new(),
            incarnation: tokio::sync::Mutex::new(Incarnation::new(pace)),
        }
    }

    /// A user's first socket came, or the last one left. The caller holds the user's lock, so that
    /// changes of one user arrive in order.
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

    /// Works until `stop`.
    pub(crate) async fn run(&self, redis: &Commands, users: &impl Users, stop: CancellationToken) {
        // A call that is broken off may be carried out; what `release` does goes on from there.
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work(redis, users) => {}
        }
    }

    /// Works for ever.
    pub async fn work(&self, redis: &impl Scripts, users: &impl Users) {
        let mut reporter = Reporter::default();
        let mut beats = interval(self.pace.beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // After a failure everything is tried soon: Redis may have lost all when it is back.
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

    /// Takes everyone of this hub out of the set: the last act of a hub that ends.
    pub(crate) async fn release(&self, redis: &Commands) {
        if let Err(error) = self.leave(redis).await {
            tracing::warn!(%error, "cannot release presence; it expires by itself");
        }
    }

    /// Takes this hub's users out, and then those of dead hubs: nobody may be left who would.
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
        Err((ErrorKind::UnexpectedReturnType, "there is no end of users to take out").into())
    }

    /// One pass: tells what has changed; a beat also does all else.
    ///
    /// # Errors
    /// Redis did not answer, or answered with an error. What it may not know is told again in the
    /// next pass.
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
                self.tell_everyone(&mut incarnation, redis, users).await?;
                // What the dead one held is taken out at once.
                (pass.reaps, is_first) = (true, true);
            }
            let page = self.next_page();
            let chores =
                Chores { restores: pass.restores(), reaps: pass.reaps, ends_former: is_first };
            if page.is_empty() && chores == Chores::default() {
                return Ok(());
            }
            match incarnation.sync(redis, &page, chores).await {
                Ok(Answer::Resync) => tracing::info!("Redis has lost presence; telling everyone"),
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
        // Work for more than one pass; the next goes on.
        Ok(())
    }

    /// Begins another incarnation with everyone who is here. Who comes and goes meanwhile is told
    /// afterwards, as a change.
    async fn tell_everyone(
        &self,
        incarnation: &mut Incarnation,
        redis: &impl Scripts,
        users: &impl Users,
    ) -> RedisResult<()> {
        // Before the walk: what it does not see comes as a change.
        *self.changes.lock() = Changes::default();
        incarnation.begin();
        let told = self.tell_parts(incarnation, redis, users).await;
        if told.is_err() {
            // Half of them told is as good as none.
            incarnation.lose();
        }
        told
    }

    async fn tell_parts(
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
        // Also without anybody: the lease counts as well.
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

    /// What could not be told is kept, unless it has changed again.
    fn put_back(&self, page: Vec<(UserId, bool)>) {
        let mut changes = self.changes.lock();
        for (user, online) in page {
            changes.users.entry(user).or_insert(online);
        }
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
