//! A hub's presence in Redis: its presence lease, the state Redis is known to have, and the two
//! scripts that change it. If the hub or Redis has lost its state, a new incarnation begins, and
//! the old one is removed like a dead hub.
//!
//! A call without an answer needs no new incarnation: each call has a number, and the next one
//! lists all numbers that Redis may have reached. A call that was executed unseen or late does no
//! harm as long as its changes are sent again.

use std::borrow::Cow;

use native::redis::Commands;
use redis::{RedisResult, Value};
use shared::script::{PRESENCE_RELEASE, PRESENCE_SYNC, Script};
use shared::{UserId, keys};

use crate::config::PresencePace;
use crate::limits::{
    PRESENCE_FORMER_MAX, PRESENCE_KEYS_TTL, PRESENCE_PAGE_USERS, PRESENCE_UNANSWERED_MAX,
};

/// Runs scripts: the hub's connection, or a test's that loses answers.
pub trait Scripts: Sync {
    /// # Errors
    /// Redis answered with an error, or did not answer and may have executed the script.
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

/// One incarnation of this hub; see the module.
#[derive(Debug)]
pub(crate) struct Incarnation {
    pace: PresencePace,
    id: String,
    /// The number of the last call.
    rev: u64,
    /// The numbers that Redis may have reached; empty if the incarnation is lost.
    revs: Vec<String>,
    /// Earlier incarnations, oldest first, until Redis knows that they have ended.
    former: Vec<String>,
    /// The position of the walk that restores members.
    cursor: String,
    /// The size of this hub's set in Redis, as of the last answer.
    size: u64,
}

/// Tasks of a call beside sending changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chores {
    /// Restores a page of members that other services removed.
    pub(crate) restores: bool,
    /// Removes a page of a dead hub's users.
    pub(crate) reaps: bool,
    /// Declares former incarnations of this hub dead, since every user was sent.
    pub(crate) ends_former: bool,
}

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done {
        /// Members checked, and the number of them that had to be restored.
        seen: u64,
        restored: u64,
        /// Every member was checked since the walk began.
        is_walk_over: bool,
        has_dead_users: bool,
        /// Redis certainly misses members of this hub.
        is_short: bool,
    },
    /// Nothing was changed; the incarnation is lost.
    Resync,
}

impl Incarnation {
    /// An incarnation that has not begun.
    pub(crate) fn new(pace: PresencePace) -> Self {
        Self {
            pace,
            id: id_of(&random_half()),
            rev: 0,
            revs: Vec::new(),
            former: Vec::new(),
            cursor: first_cursor(),
            size: 0,
        }
    }

    /// Whether Redis's state is unknown: a new incarnation must begin and send every user.
    pub(crate) fn is_lost(&self) -> bool {
        self.revs.is_empty()
    }

    pub(crate) fn lose(&mut self) {
        self.revs.clear();
    }

    /// Begins a new incarnation. Its first calls send every user.
    pub(crate) fn begin(&mut self) {
        if self.rev > 0 {
            if self.former.len() == PRESENCE_FORMER_MAX {
                self.former.remove(0);
            }
            let next = id_of(hub_of(&self.id));
            self.former.push(std::mem::replace(&mut self.id, next));
        }
        self.rev = 0;
        // Redis does not know the incarnation yet.
        self.revs = vec![String::new()];
        self.cursor = first_cursor();
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Restarts the walk that restores members.
    pub(crate) fn rewind(&mut self) {
        self.cursor = first_cursor();
    }

    /// Sends the users who came online (`true`) and went offline, and performs `chores`.
    ///
    /// # Errors
    /// Redis may or may not have applied the changes: they have to be sent again.
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
        Answer::Done { seen, restored, is_walk_over, has_dead_users: dead > 0, is_short: short > 0 }
    }

    /// Removes a page of this hub's users, or of a dead hub's once there are none; true if more
    /// remain.
    ///
    /// # Errors
    /// Redis may or may not have executed it; repeating it is harmless.
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

/// The reply of `presence_sync.lua`.
type Reply = (String, u64, String, u64, u64, u64, u64);

fn keys_with(set: &str) -> [&str; 4] {
    [keys::ONLINE_USERS, keys::PRESENCE_LEASES, keys::PRESENCE_REVS, set]
}

fn first_cursor() -> String {
    "0".to_owned()
}

/// The bytes of an incarnation's id that all incarnations of a hub share.
const HUB_ID_BYTES: usize = 16;

/// The hub of an incarnation: the name that stays as long as its process.
pub(crate) fn hub_of(id: &str) -> &str {
    id.get(..HUB_ID_BYTES).unwrap_or(id)
}

/// The id of a hub's new incarnation.
fn id_of(hub: &str) -> String {
    format!("{hub}{}", random_half())
}

/// Unique, because two hubs with the same id would undo each other's work; it need not be secret.
fn random_half() -> String {
    format!("{:016x}", fastrand::u64(..))
}
