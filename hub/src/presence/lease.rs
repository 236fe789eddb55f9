//! A hub's life with Redis as far as presence goes: its lease, what Redis is known to have been told,
//! and the two calls that tell it. When either side lost its memory a new incarnation begins, and
//! the old one is taken out like a dead hub.
//!
//! Calls without an answer are no reason for that: each call has a number, and the next one names
//! all that Redis may have come to. So a call that was carried out unseen, or is carried out late,
//! does no harm as long as what it told is told again.

use std::borrow::Cow;

use redis::{RedisResult, Value};
use shared::script::{PRESENCE_RELEASE, PRESENCE_SYNC, Script};
use shared::{UserId, keys};

use crate::config::PresencePace;
use crate::limits::{
    PRESENCE_FORMER_MAX, PRESENCE_KEYS_TTL, PRESENCE_PAGE_USERS, PRESENCE_UNANSWERED_MAX,
};
use crate::redis::commands::Commands;

/// Runs scripts: the hub's connection, or a test's that loses answers.
pub trait Scripts: Sync {
    /// # Errors
    /// Redis answered with an error, or it is not known whether the script was carried out.
    fn run(
        &self,
        script: &'static Script,
        keys: &[&str],
        args: &[Cow<'_, str>],
    ) -> impl Future<Output = RedisResult<Value>> + Send;
}

impl Scripts for Commands {
    async fn run(
        &self,
        script: &'static Script,
        keys: &[&str],
        args: &[Cow<'_, str>],
    ) -> RedisResult<Value> {
        self.script(script, keys, args).await
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Incarnation {
    pace: PresencePace,
    id: String,
    /// Number of the last call.
    rev: u64,
    /// What Redis may have come to; empty when it is lost.
    revs: Vec<String>,
    /// Before this one, oldest first, until Redis knows that they are over.
    former: Vec<String>,
    /// Where the walk that restores members goes on.
    cursor: String,
    /// Users in Redis's set of this hub, when it answered last.
    size: u64,
}

/// What a call does beside telling changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chores {
    /// Restores a page of members whom other services took out.
    pub(crate) restores: bool,
    /// Takes out a page of a dead hub's users.
    pub(crate) reaps: bool,
    /// Everyone has been told: former incarnations of this hub are dead.
    pub(crate) ends_former: bool,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done {
        /// Members that were looked at, and how many of them had been taken out.
        seen: u64,
        restored: u64,
        /// Everyone was looked at since the walk began.
        is_walk_over: bool,
        is_someone_dead: bool,
        /// Members are missing in any case.
        is_short: bool,
    },
    /// Nothing was done, and the incarnation is lost.
    Resync,
}

impl Incarnation {
    /// One that has yet to begin.
    pub(crate) fn new(pace: PresencePace) -> Self {
        Self {
            pace,
            id: random_id(),
            rev: 0,
            revs: Vec::new(),
            former: Vec::new(),
            cursor: first_cursor(),
            size: 0,
        }
    }

    /// Whether Redis cannot know what it was told: begin, and tell everyone.
    pub(crate) fn is_lost(&self) -> bool {
        self.revs.is_empty()
    }

    pub(crate) fn lose(&mut self) {
        self.revs.clear();
    }

    /// Another one. Its first calls bring everyone.
    pub(crate) fn begin(&mut self) {
        if self.rev > 0 {
            if self.former.len() == PRESENCE_FORMER_MAX {
                self.former.remove(0);
            }
            self.former.push(std::mem::replace(&mut self.id, random_id()));
        }
        self.rev = 0;
        // Redis does not know it yet.
        self.revs = vec![String::new()];
        self.cursor = first_cursor();
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The walk that restores members starts anew.
    pub(crate) fn rewind(&mut self) {
        self.cursor = first_cursor();
    }

    /// Tells who came (`true`) and went, and does `chores`.
    ///
    /// # Errors
    /// What was told has to be told again: nobody knows whether it was heard.
    pub(crate) async fn sync(
        &mut self,
        redis: &impl Scripts,
        page: &[(UserId, bool)],
        chores: Chores,
    ) -> RedisResult<Answer> {
        self.rev += 1;
        let rev = self.rev.to_string();
        let former: &[String] = if chores.ends_former { &self.former } else { &[] };
        let joins = || page.iter().filter(|(_, is_here)| *is_here);
        let leaves = page.iter().filter(|(_, is_here)| !is_here);
        let mut args = self.common_args();
        args.push(rev.as_str().into());
        args.push(if chores.restores { self.cursor.as_str().into() } else { "".into() });
        args.push(if chores.reaps { "1".into() } else { "0".into() });
        for count in [self.revs.len(), former.len(), joins().count()] {
            args.push(count.to_string().into());
        }
        args.extend(self.revs.iter().chain(former).map(|text| Cow::from(text.as_str())));
        args.extend(joins().chain(leaves).map(|(user, _)| Cow::from(user.as_str())));
        let set = self.set();
        let answer = redis.run(&PRESENCE_SYNC, &keys_with(&set), &args).await;
        match answer.and_then(|answer| Ok(redis::from_redis_value::<Reply>(answer)?)) {
            Ok(reply) => Ok(self.take(rev, reply, chores)),
            Err(error) => {
                self.revs.push(rev);
                if self.revs.len() > PRESENCE_UNANSWERED_MAX {
                    self.lose();
                }
                Err(error)
            }
        }
    }

    fn take(&mut self, rev: String, reply: Reply, chores: Chores) -> Answer {
        let (status, size, cursor, seen, restored, dead, short) = reply;
        if status != "ok" {
            self.lose();
            return Answer::Resync;
        }
        self.revs = vec![rev];
        self.size = size;
        if chores.ends_former {
            self.former.clear();
        }
        let is_walk_over = chores.restores && cursor == first_cursor();
        if chores.restores {
            self.cursor = cursor;
        }
        Answer::Done {
            seen,
            restored,
            is_walk_over,
            is_someone_dead: dead > 0,
            is_short: short > 0,
        }
    }

    /// Takes a page of our users out, or of a dead hub's once ours are; says whether more is to do.
    ///
    /// # Errors
    /// It is not known whether it was done; doing it again is harmless.
    pub(crate) async fn release(&self, redis: &impl Scripts) -> RedisResult<bool> {
        let mut args = self.common_args();
        args.extend(self.former.iter().map(|id| Cow::from(id.as_str())));
        let set = self.set();
        let left = redis.run(&PRESENCE_RELEASE, &keys_with(&set), &args).await?;
        Ok(redis::from_redis_value::<u64>(left)? > 0)
    }

    fn common_args(&self) -> Vec<Cow<'_, str>> {
        vec![
            self.id.as_str().into(),
            keys::PRESENCE_HUB_PREFIX.into(),
            self.pace.lease.as_millis().to_string().into(),
            self.pace.expiry.as_millis().to_string().into(),
            PRESENCE_KEYS_TTL.as_secs().to_string().into(),
            PRESENCE_PAGE_USERS.to_string().into(),
        ]
    }

    fn set(&self) -> String {
        format!("{}{}", keys::PRESENCE_HUB_PREFIX, self.id)
    }
}

/// As `presence_sync.lua` returns it.
type Reply = (String, u64, String, u64, u64, u64, u64);

fn keys_with(set: &str) -> [&str; 4] {
    [keys::ONLINE_USERS, keys::PRESENCE_LEASES, keys::PRESENCE_REVS, set]
}

fn first_cursor() -> String {
    "0".to_owned()
}

/// Two hubs with one id would undo each other's work; nobody has to guess it.
fn random_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}
