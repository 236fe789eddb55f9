//! The mechanisms of `runtime` on a real Redis Cluster: no operation needs keys of two slots at once,
//! also while slots move, and the users' own channels.

mod cached;
mod one_redis;
mod store;

use std::slice;
use std::time::Duration;

use futures_util::future::join;
use runtime::feed::{delivery, marks, relay, removal};
use runtime::ports::redis::{Arg, Redis};
use runtime::push_tokens;
use runtime::record::Marked;
use shared::cluster::slot_of;
use shared::json::Object;
use shared::limits::FEED_MARKS_MAX;
use shared::live::Live;
use shared::notification::Notification;
use shared::{PushToken, UserId, keys};
use support::{OwnChannel, RedisCluster};

use self::store::ClusterRedis;
use super::record_model::sql::{Database, TestRecord, commit};

const NOW_MS: i64 = 1_800_000_000_000;
/// On all masters.
const USERS: usize = 40;

fn user(at: usize) -> UserId {
    UserId::parse(&format!("user{at}")).unwrap()
}

fn token(at: usize) -> PushToken {
    let body = format!("{{\"token\":\"token{at}\"}}");
    PushToken::require(&mut Object::parse(body.as_bytes()).unwrap(), "token").unwrap()
}

/// A cluster, a client, and a record of the test's own.
struct Stage {
    redis: ClusterRedis,
    record: TestRecord,
    cluster: RedisCluster,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let cluster = RedisCluster::start().await;
        let dir = tempfile::tempdir().unwrap();
        let record = Database::sqlite(&dir.path().join("record.db")).record();
        record.migrate().await.unwrap();
        Self { redis: ClusterRedis::connect(&cluster).await, record, cluster, _dir: dir }
    }

    async fn commit(&self, user: &UserId) -> (String, Notification) {
        let (epoch, mut entries) = commit(&self.record, slice::from_ref(user), NOW_MS).await;
        (epoch, entries.remove(0))
    }

    async fn notify(&self, user: &UserId) -> Notification {
        let (epoch, entry) = self.commit(user).await;
        let entries = slice::from_ref(&entry);
        delivery::deliver(&self.redis, &self.record, entries, &epoch).await.unwrap();
        entry
    }

    async fn relay(&self) -> relay::Outcome {
        relay::run(&self.redis, &self.record, NOW_MS, || true).await.unwrap()
    }

    async fn length(&self, user: &UserId) -> i64 {
        let feed = keys::feed(user);
        self.redis.command("LLEN", &[Arg::Text(&feed)]).await.unwrap()[0].int().unwrap()
    }

    /// Moves the slots of these keys to the next master, while `work` runs.
    async fn while_moving<T>(&self, keys: Vec<String>, work: impl Future<Output = T>) -> T {
        let moving = async {
            for key in keys {
                let owner = self.cluster.owner_of(&key).await.port();
                let masters = self.cluster.masters().await;
                let target = masters.iter().find(|master| master.port() != owner).unwrap();
                let migration = self.cluster.migrate(slot_of(&key), target).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                migration.move_keys().await;
                migration.finish().await;
            }
        };
        join(moving, work).await.1
    }
}

#[tokio::test]
async fn feeds_and_their_relay() {
    let stage = Stage::set().await;
    for at in 0..USERS {
        stage.commit(&user(at)).await;
    }
    assert_eq!(stage.relay().await, relay::Outcome { sent: 40, pending: 0 });
    // Nothing to do for half of them: their heads are read by server.
    for at in 0..USERS {
        let (epoch, entry) = stage.commit(&user(at)).await;
        if at % 2 == 0 {
            let entries = slice::from_ref(&entry);
            delivery::deliver(&stage.redis, &stage.record, entries, &epoch).await.unwrap();
        }
    }
    let feeds = (0..8).map(|at| keys::feed(&user(at))).collect();
    let relayed = stage.while_moving(feeds, stage.relay()).await;
    assert_eq!((relayed.sent, relayed.pending), (40, 0));
    for at in 0..USERS {
        assert_eq!(stage.length(&user(at)).await, 2, "{at}");
    }
}

#[tokio::test]
async fn tokens_of_users_on_all_masters() {
    let stage = Stage::set().await;
    let wanted = || (0..USERS).map(|at| (user(at), token(at))).collect::<Vec<_>>();
    let users: Vec<UserId> = (0..USERS).map(user).collect();
    let users: Vec<&UserId> = users.iter().collect();
    let expected: Vec<_> = (0..USERS).map(|at| Some(format!("token{at}"))).collect();
    let (redis, record) = (&stage.redis, &stage.record);
    assert_eq!(push_tokens::put(redis, record, wanted(), NOW_MS).await.unwrap(), USERS);
    assert_eq!(push_tokens::in_redis_alone(redis, &users).await.unwrap(), expected);
    // Refilled from the record.
    for at in 0..USERS {
        redis.command("DEL", &[Arg::Text(&keys::push_token(&user(at)))]).await.unwrap();
        redis.command("DEL", &[Arg::Text(&keys::push_token_companion(&user(at)))]).await.unwrap();
    }
    let slots: Vec<String> = (0..8).map(|at| keys::push_token(&user(at))).collect();
    let read = push_tokens::read_many(redis, record, &users);
    assert_eq!(stage.while_moving(slots.clone(), read).await.unwrap(), expected);
    assert_eq!(push_tokens::in_redis_alone(redis, &users).await.unwrap(), expected);
    let pruned = push_tokens::prune(redis, record, wanted(), NOW_MS);
    assert_eq!(stage.while_moving(slots, pruned).await.unwrap(), USERS);
    assert!(
        push_tokens::read_many(redis, record, &users).await.unwrap().iter().all(Option::is_none)
    );
}

#[tokio::test]
async fn a_user_hears_everything_on_the_own_channel() {
    let mut stage = Stage::set().await;
    stage.redis.live = Live::Own;
    let alice = user(0);
    let channel = keys::live_channel(&alice);
    let heard = OwnChannel::subscribe(stage.cluster.owner_of(&channel).await, &channel).await;
    let entry = stage.notify(&alice).await;
    let (redis, record) = (&stage.redis, &stage.record);
    let marked = Marked::UpTo(entry.seq);
    let known = record.mark_read(&alice, &marked, NOW_MS, FEED_MARKS_MAX).await.unwrap();
    let event = "{\"type\":\"read\",\"unread\":";
    assert_eq!(marks::bring(redis, record, &alice, &known, &[], NOW_MS, event).await.unwrap(), 0);
    let deleted = record.delete(&alice, &entry.id, NOW_MS).await.unwrap().unwrap();
    removal::forget(redis, &alice, &entry.id, &deleted, NOW_MS).await.unwrap();
    let messages = heard.exactly(3).await;
    let begin = format!("{{\"notification\":{},\"bw\":", entry.to_json());
    assert!(messages[0].starts_with(&begin), "{messages:?}");
    assert!(messages[1].starts_with(event), "{messages:?}");
    assert!(messages[2].starts_with("{\"type\":\"removed\""), "{messages:?}");
}
