//! One call comes between the reading of the record and the writing of the feed of another one, or
//! the record is put back behind a feed.

use std::cell::{Cell, RefCell};
use std::pin::Pin;

use runtime::feed::delivery::{deliver, ensure, load_cold};
use runtime::feed::removal::{forget, forget_all};
use runtime::feed::{marks, relay};
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::record::Marked;
use shared::limits::{FEED_ENTRIES_MAX, FEED_MARKS_MAX};
use shared::notification::Notification;
use shared::script::Script;
use shared::{UserId, keys};
use support::RedisServer;

use super::crowd::{Member, Server};
use super::sql::{Sqlite, commit};

const NOW_MS: i64 = 1_800_000_000_000;

/// A Redis before one of whose scripts something else happens.
pub struct Interrupted<'a, R> {
    redis: &'a R,
    /// Scripts that run before it.
    left: Cell<usize>,
    first: RefCell<Option<Pin<Box<dyn Future<Output = ()> + 'a>>>>,
}

impl<'a, R> Interrupted<'a, R> {
    fn new(redis: &'a R, first: impl Future<Output = ()> + 'a) -> Self {
        Self::before(1, redis, first)
    }

    /// Before the script that comes as the `number`-th.
    pub fn before(number: usize, redis: &'a R, first: impl Future<Output = ()> + 'a) -> Self {
        Self { redis, left: Cell::new(number - 1), first: RefCell::new(Some(Box::pin(first))) }
    }

    pub fn was_interrupted(&self) -> bool {
        self.first.borrow().is_none()
    }
}

impl<R: Redis> Redis for Interrupted<'_, R> {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        if self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
        } else {
            let first = self.first.borrow_mut().take();
            if let Some(first) = first {
                first.await;
            }
        }
        self.redis.eval(script, keys, args).await
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        self.redis.command(name, args).await
    }
}

struct Stage {
    redis: RedisServer,
    member: Member,
    _server: Server,
}

impl Stage {
    async fn set() -> Self {
        let (redis, server) = (RedisServer::start().await, Server::sqlite());
        let member = Member::join(&server, &redis, 0, 0).await;
        member.record.migrate().await.unwrap();
        Self { redis, member, _server: server }
    }

    async fn commit(&self, many: usize) -> (String, Vec<Notification>) {
        commit(&self.member.record, &vec![alice(); many], NOW_MS).await
    }

    async fn create(&self, many: usize) -> Vec<Notification> {
        let (epoch, entries) = self.commit(many).await;
        deliver(&self.member.redis, &self.member.record, &entries, &epoch).await.unwrap();
        entries
    }

    async fn delete(&self, entry: &Notification) {
        let deleted = self.member.record.delete(&alice(), &entry.id, NOW_MS).await.unwrap();
        forget(&self.member.redis, &alice(), &entry.id, &deleted.unwrap(), NOW_MS).await.unwrap();
    }

    /// Returns what is unread then.
    async fn mark(&self, seq: i64) -> i64 {
        let (record, marked) = (&self.member.record, Marked::UpTo(seq));
        let marks = record.mark_read(&alice(), &marked, NOW_MS, FEED_MARKS_MAX).await.unwrap();
        marks::bring(&self.member.redis, record, &alice(), &marks, &[], NOW_MS, "").await.unwrap()
    }

    /// Loads the feed; `first` happens after the record was read.
    async fn load_after(&self, first: impl Future<Output = ()>) {
        let redis = Interrupted::new(&self.member.redis, first);
        let (_, loaded) = load_cold(&redis, &self.member.record, &alice()).await.unwrap();
        loaded.unwrap();
    }

    async fn lose_list(&self) {
        self.redis.run_words::<()>(&["DEL", &keys::feed(&alice())]).await;
    }

    async fn list(&self) -> Vec<String> {
        self.redis.list(&keys::feed(&alice())).await
    }

    async fn epoch(&self) -> String {
        self.member.record.pending("", 1).await.unwrap().0
    }

    fn file(&self) -> &Sqlite {
        self.member.database.file().expect("the stage is set with SQLite")
    }
}

fn alice() -> UserId {
    UserId::parse("alice").unwrap()
}

fn jsons<'a>(entries: impl IntoIterator<Item = &'a Notification>) -> Vec<String> {
    entries.into_iter().map(Notification::to_json).collect()
}

#[tokio::test]
async fn a_load_does_not_bring_back_what_was_deleted_meanwhile() {
    let stage = Stage::set().await;
    let entries = stage.create(3).await;
    stage.lose_list().await;
    stage.load_after(stage.delete(&entries[1])).await;
    assert_eq!(stage.list().await, jsons([&entries[2], &entries[0]]));
}

#[tokio::test]
async fn a_load_does_not_bring_back_what_was_erased_meanwhile() {
    let stage = Stage::set().await;
    stage.create(3).await;
    stage.lose_list().await;
    let erase = async {
        let at = stage.member.record.erase(&alice(), 0).await.unwrap();
        forget_all(&stage.member.redis, &alice(), &at, NOW_MS).await.unwrap();
    };
    stage.load_after(erase).await;
    assert!(stage.list().await.is_empty());
}

#[tokio::test]
async fn a_load_does_not_undo_marks_that_came_meanwhile() {
    let stage = Stage::set().await;
    stage.create(3).await;
    stage.lose_list().await;
    let mark = async {
        assert_eq!(stage.mark(2).await, 1);
        stage.lose_list().await;
    };
    stage.load_after(mark).await;
    let reads: String =
        stage.redis.run_words(&["HGET", &keys::feed_companion(&alice()), "reads"]).await;
    assert_eq!(reads, format!("1={NOW_MS};2={NOW_MS};"));
}

#[tokio::test]
async fn a_push_does_not_bring_what_was_deleted_before_it_came() {
    let stage = Stage::set().await;
    let old = stage.create(1).await;
    let (epoch, entries) = stage.commit(3).await;
    let redis = Interrupted::new(&stage.member.redis, stage.delete(&entries[1]));
    deliver(&redis, &stage.member.record, &entries, &epoch).await.unwrap();
    assert_eq!(stage.list().await, jsons([&entries[2], &entries[0], &old[0]]));
}

#[tokio::test]
async fn marks_survive_a_delete_that_overtakes_them() {
    let stage = Stage::set().await;
    let entries = stage.create(3).await;
    let (record, marked) = (&stage.member.record, Marked::UpTo(2));
    let marks = record.mark_read(&alice(), &marked, NOW_MS, FEED_MARKS_MAX).await.unwrap();
    let redis = Interrupted::new(&stage.member.redis, stage.delete(&entries[0]));
    let unread = marks::bring(&redis, record, &alice(), &marks, &[], NOW_MS, "").await;
    assert_eq!(unread, Ok(1));
}

#[tokio::test]
async fn a_cold_feed_that_is_ahead_of_a_restored_record_gets_a_new_epoch() {
    let stage = Stage::set().await;
    let kept = stage.create(1).await;
    let (copy, epoch) = (stage.file().save(), stage.epoch().await);
    stage.create(3).await;
    stage.file().restore(&copy);
    stage.lose_list().await;
    stage.load_after(async {}).await;
    assert_eq!(stage.list().await, jsons(&kept));
    assert_ne!(stage.epoch().await, epoch, "numbers are counted again");
}

#[tokio::test]
async fn a_feed_more_than_a_window_ahead_of_a_restored_record_takes_new_entries() {
    for kept in [0, 2] {
        let stage = Stage::set().await;
        let old = if kept > 0 { stage.create(kept).await } else { Vec::new() };
        let (epoch, copy) = (stage.epoch().await, stage.file().save());
        stage.create(FEED_ENTRIES_MAX + 20).await;
        stage.file().restore(&copy);
        let new = stage.create(1).await;
        assert_eq!(stage.list().await, jsons(new.iter().chain(old.iter().rev())), "{kept}");
        assert_ne!(stage.epoch().await, epoch, "numbers are counted again");
    }
}

#[tokio::test]
async fn an_old_push_that_comes_again_is_no_sign_of_a_restore() {
    let stage = Stage::set().await;
    stage.create(1).await;
    let (epoch, early) = stage.commit(1).await;
    deliver(&stage.member.redis, &stage.member.record, &early, &epoch).await.unwrap();
    let late = stage.create(FEED_ENTRIES_MAX + 20).await;
    stage.delete(&late[60]).await;
    deliver(&stage.member.redis, &stage.member.record, &early, &epoch).await.unwrap();
    assert_eq!(stage.epoch().await, epoch);
}

/// As after a failover to a standby that lacked the newest commits: their numbers are counted again,
/// and the first try of the delivery fails.
#[tokio::test]
async fn a_delivery_that_is_tried_again_finds_that_its_seq_was_counted_twice() {
    for (lost, counted) in [(1, 1), (3, 1), (1, 2), (2, 2)] {
        let stage = Stage::set().await;
        let kept = stage.create(2).await;
        let (copy, epoch) = (stage.file().save(), stage.epoch().await);
        stage.create(lost).await;
        stage.file().restore(&copy);
        let (_, unsent) = stage.commit(counted).await;
        let (redis, record, goal) = (&stage.member.redis, &stage.member.record, 2 + counted as i64);
        ensure(redis, record, &alice(), &epoch, goal).await.unwrap();
        let expected = jsons(unsent.iter().rev().chain(kept.iter().rev()));
        assert_eq!(stage.list().await, expected, "{lost} lost, {counted} counted again");
        assert_ne!(stage.epoch().await, epoch, "numbers are counted again");
    }
}

#[tokio::test]
async fn the_relay_finds_a_feed_ahead_of_its_record() {
    let stage = Stage::set().await;
    let kept = stage.create(2).await;
    let (copy, epoch) = (stage.file().save(), stage.epoch().await);
    stage.create(2).await;
    stage.file().restore(&copy);
    let (_, unsent) = stage.commit(1).await;
    let (redis, record) = (&stage.member.redis, &stage.member.record);
    let outcome = relay::run(redis, record, NOW_MS, || true).await.unwrap();
    assert_eq!(outcome, relay::Outcome { sent: 1, pending: 0 });
    assert_eq!(stage.list().await, jsons(unsent.iter().chain(kept.iter().rev())));
    assert_ne!(stage.epoch().await, epoch, "numbers are counted again");
}
