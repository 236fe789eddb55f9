//! The system under test beside its model: runs operations on both and compares.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use shared::limits::FEED_ENTRIES_MAX;
use shared::{UserId, keys};

use super::expected::{Expected, Kept};
use super::feed::Feed;
use super::ops::{Op, USERS, foreign};
use super::redis::{Fault, FaultyRedis};
use super::sql::{Database, TestRecord};

/// Idempotency keys hold this long here.
pub const KEYS_MS: i64 = 60_000;
#[derive(Default)]
struct Fates {
    next: VecDeque<Option<Fault>>,
    is_away: bool,
    /// Whether a call failed since this was reset.
    struck: bool,
}

pub struct World {
    pub redis: FaultyRedis,
    pub database: Database,
    pub record: TestRecord,
    pub expected: Expected,
    pub now_ms: i64,
    fates: Rc<RefCell<Fates>>,
    /// A connection that never fails, in the role of other services.
    own: MultiplexedConnection,
    feeds: [Feed; USERS],
    /// Users whose list was begun by another service, which gave it no expiry.
    foreign_lists: [bool; USERS],
    pushed: u64,
}

pub fn user(at: usize) -> UserId {
    UserId::parse(["alice", "bob", "carol"][at]).unwrap()
}

impl World {
    pub fn new(connection: MultiplexedConnection, database: Database) -> Self {
        let fates = Rc::new(RefCell::new(Fates::default()));
        let shared = Rc::clone(&fates);
        let fate = move || {
            let mut fates = shared.borrow_mut();
            let fate =
                if fates.is_away { Some(Fault::Before) } else { fates.next.pop_front().flatten() };
            fates.struck |= fate.is_some();
            fate
        };
        Self {
            redis: FaultyRedis::new(
                connection.clone(),
                Box::new(|| Duration::ZERO),
                Box::new(fate),
            ),
            record: database.record(),
            database,
            expected: Expected::default(),
            now_ms: 1_800_000_000_000,
            fates,
            own: connection,
            feeds: Default::default(),
            foreign_lists: [false; USERS],
            pushed: 0,
        }
    }

    /// Whether a call of Redis failed during the operation.
    pub fn struck(&self) -> bool {
        self.fates.borrow().struck
    }

    /// A delivery to a user was struck.
    pub async fn fell_behind(&mut self, at: usize) -> Result<(), String> {
        self.expected.doubts[at].is_behind = true;
        self.expected.skip_beyond_window(at);
        // What is counted again while Redis is away looks like what was delivered before: only the
        // documented step helps.
        match self.expected.doubts[at].is_tainted {
            true => self.rotate().await,
            false => Ok(()),
        }
    }

    pub async fn look(&mut self, at: usize) -> Feed {
        Feed::look(&mut self.own, &user(at)).await
    }

    /// Ends all trouble and sends what is unsent; then everything must be in its place.
    pub async fn come_to_rest(&mut self) -> Result<(), String> {
        *self.fates.borrow_mut() = Fates::default();
        self.apply(&Op::Relay).await?;
        for user in 0..USERS {
            self.apply(&Op::Read { user }).await?;
        }
        Ok(())
    }

    pub async fn apply(&mut self, op: &Op) -> Result<(), String> {
        self.fates.borrow_mut().struck = false;
        self.expected.note_loss(op);
        let may_rotate = self.expected.doubts.iter().any(|doubt| doubt.is_tainted);
        let is_foreign = self.apply_outside(op).await;
        if !is_foreign {
            self.apply_inside(op).await?;
        }
        self.check_epoch(op, may_rotate).await?;
        for at in 0..USERS {
            let feed = self.look(at).await;
            let checked = self.check_feed(at, op, is_foreign, &feed);
            checked.map_err(|error| format!("{error}\n{at}: {feed:?}\n{:?}", self.expected))?;
            self.feeds[at] = feed;
        }
        Ok(())
    }

    /// What other services, operators and time do. Returns whether it was such an operation.
    async fn apply_outside(&mut self, op: &Op) -> bool {
        let own = &mut self.own;
        let mut run = redis::pipe();
        match op {
            Op::ListGone { user: at } => {
                run.del(keys::feed(&user(*at)));
            }
            Op::CompanionGone { user: at } => {
                run.del(keys::feed_companion(&user(*at)));
            }
            Op::FlushAll => {
                run.cmd("FLUSHALL");
            }
            Op::Age { user: at } => {
                run.expire(keys::feed(&user(*at)), 1000);
                run.expire(keys::feed_companion(&user(*at)), 1000);
            }
            Op::ForeignPush { user: at, what, many } => {
                self.foreign_lists[*at] |= self.feeds[*at].elements.is_empty();
                self.pushed += 1;
                for _ in 0..*many {
                    run.lpush(keys::feed(&user(*at)), foreign(*what, self.pushed));
                }
            }
            Op::ForeignTrim { user: at, keep } => {
                run.ltrim(keys::feed(&user(*at)), 0, isize::from(*keep) - 1);
            }
            Op::ForeignPersist { user: at } => {
                self.foreign_lists[*at] = true;
                run.persist(keys::feed(&user(*at)));
            }
            Op::ForeignReplace { user: at, many } => {
                self.foreign_lists[*at] = true;
                run.del(keys::feed(&user(*at)));
                self.pushed += 1;
                for _ in 0..*many {
                    run.lpush(keys::feed(&user(*at)), foreign(1, self.pushed));
                }
            }
            Op::Wait { seconds } => self.now_ms += i64::from(*seconds) * 1000,
            Op::Faults { fates } => {
                self.fates.borrow_mut().next.extend(fates.iter().copied());
            }
            Op::Away { is_away } => self.fates.borrow_mut().is_away = *is_away,
            _ => return false,
        }
        if !run.is_empty() {
            run.exec_async(own).await.unwrap();
        }
        true
    }

    async fn apply_inside(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Create { user, expires, key, body } => {
                let item = self.item(*user, *expires, *key, *body);
                self.create(vec![item]).await
            }
            Op::Batch { users, many, key } => {
                let item = |at: usize| {
                    let key = key.filter(|_| at < 2);
                    self.item(users[at % users.len()], at == 3, key, (at % 3) as u8)
                };
                let items = (0..usize::from(*many)).map(item).collect();
                self.create(items).await
            }
            Op::Import { users, many, key } => self.import(users, *many, *key).await,
            Op::Read { user } => self.read(*user).await,
            Op::Prefer { user, feed } => self.prefer(*user, *feed).await,
            Op::MarkUpTo { user, back } => {
                let seq = self.expected.kept.users[*user].counter - i64::from(*back);
                self.mark_up_to(*user, seq.max(0)).await
            }
            Op::MarkIds { user, picks } => self.mark_ids(*user, picks).await,
            Op::Delete { user, pick } => self.delete(*user, *pick).await,
            Op::Erase { user } => self.erase(*user).await,
            Op::RemoveTheirs { user, pick } => self.remove_theirs(*user, *pick).await,
            Op::Relay => self.relay().await,
            Op::Save => self.save(),
            Op::Restore { rotates } => self.restore(*rotates).await,
            Op::Swap => {
                self.database.remove().await;
                self.expected.replaced(Kept::default(), false);
                Ok(())
            }
            Op::Rotate => self.rotate().await,
            Op::Prune => self.prune().await,
            _ => Ok(()),
        }
    }

    async fn check_epoch(&mut self, op: &Op, may_rotate: bool) -> Result<(), String> {
        let (epoch, _) = self.record.pending("", 1).await.map_err(|error| error.to_string())?;
        let kept = &mut self.expected.kept;
        let may_change = kept.epoch.is_empty() || may_rotate;
        if epoch != kept.epoch && !may_change {
            return Err(format!("{op:?} changed the epoch from {} to {epoch}", kept.epoch));
        }
        if epoch != kept.epoch {
            kept.epoch = epoch;
            self.expected.doubts.iter_mut().for_each(|doubt| doubt.is_tainted = false);
        }
        Ok(())
    }

    fn check_feed(
        &mut self,
        at: usize,
        op: &Op,
        is_foreign: bool,
        feed: &Feed,
    ) -> Result<(), String> {
        self.foreign_lists[at] &= feed.list_ttl_s == -1;
        feed.check(self.foreign_lists[at])?;
        let doubt = &mut self.expected.doubts[at];
        if feed.elements.len() >= FEED_ENTRIES_MAX || feed.elements.is_empty() {
            doubt.vacant = 0;
            doubt.lost_data |= !feed.elements.is_empty();
        }
        let is_removal =
            matches!(op, Op::Erase { user } | Op::RemoveTheirs { user, .. } if *user == at);
        if !is_foreign && !is_removal {
            feed.check_after(&self.feeds[at])?;
        }
        let is_known = feed.is_warm && feed.epoch.as_ref() == Some(&self.expected.kept.epoch);
        if is_foreign || !is_known || doubt.is_tainted {
            return Ok(());
        }
        super::calls::check_content(&self.expected, at, feed)
    }
}
