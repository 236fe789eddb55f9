//! Statements that lock many rows, on the same users, in whatever order: nobody may be refused.

use futures_util::future::join_all;
use runtime::record::{Idempotency, Marked, NewEntry, RecordError, Retention};
use shared::UserId;
use shared::notification::Draft;
use support::RedisServer;

use super::crowd::{Member, Server, on_each_database};
use super::seed::{cases, seed, unique, uuid_v7};

const TASKS: u64 = 8;
const ACTIONS: u32 = 40;
const USERS: u64 = 6;
/// Keys hold this long here.
const KEYS_MS: i64 = 1000;
const NOW_MS: i64 = 1_800_000_000_000;

on_each_database!(crossing_locks);

async fn crossing_locks(server: &Server) {
    let (redis, seed) = (RedisServer::start().await, seed());
    let first = Member::join(server, &redis, seed, 0).await;
    first.record.migrate().await.unwrap();
    let tasks = (1..=TASKS).map(async |number| {
        let member = Member::join(server, &redis, seed + number, 0).await;
        for _ in 0..cases(ACTIONS) {
            act(&member).await?;
        }
        Ok::<_, RecordError>(())
    });
    for done in join_all(tasks).await {
        done.unwrap_or_else(|error| panic!("BELLWIRE_MODEL_SEED={seed}: {error}"));
    }
}

fn user(at: u64) -> UserId {
    UserId::parse(&format!("user{at}")).unwrap()
}

async fn act(member: &Member) -> Result<(), RecordError> {
    let record = &member.record;
    let some = user(member.pick(USERS));
    match member.pick(12) {
        0..4 => {
            let items: Vec<NewEntry> = (0..2 + member.pick(30)).map(|_| item(member)).collect();
            record.create(&items, NOW_MS - KEYS_MS).await.map(drop)
        }
        4..6 => {
            let all = (0..USERS).map(|at| (user((at + member.pick(USERS)) % USERS), 3));
            let mut sent: Vec<_> = all.collect();
            sent.dedup();
            record.mark_sent(&sent).await
        }
        6 => record.mark_read(&some, &Marked::UpTo(1_000_000), NOW_MS, 100).await.map(drop),
        7 => {
            let window = record.window(&some, 50).await?;
            let ids: Vec<String> =
                window.entries.into_iter().map(|entry| entry.notification.id).collect();
            if let Some(id) = ids.first() {
                record.delete(&some, id, NOW_MS).await?;
            }
            record.mark_read(&some, &Marked::Ids(ids), NOW_MS, 100).await.map(drop)
        }
        8 => record.erase(&some, NOW_MS - KEYS_MS).await.map(drop),
        9..11 => {
            let keys_since_ms = NOW_MS - KEYS_MS;
            let retention =
                Retention { now_ms: NOW_MS, keep_since_ms: NOW_MS - 2 * KEYS_MS, keys_since_ms };
            record.prune(retention, 200).await.map(drop)
        }
        _ => record.note_redis_run(&unique(), 0).await.map(drop),
    }
}

fn item(member: &Member) -> NewEntry {
    let draft = Draft {
        user_id: user(member.pick(USERS)),
        title: "title".to_owned(),
        body: None,
        kind: None,
        data: None,
        expires_at_ms: None,
    };
    let key = member.pick(40);
    let idempotency = (key < 20)
        .then(|| Idempotency { key: format!("key {key}"), request_hash: "same".to_owned() });
    // Some are so old already that their keys have expired, some that they are not kept.
    let created_at_ms = NOW_MS - i64::from(member.pick(6) == 0) * (member.pick(3) as i64) * KEYS_MS;
    NewEntry {
        draft,
        id: uuid_v7(NOW_MS),
        created_at_ms: created_at_ms - 1,
        idempotency,
        push: None,
    }
}
