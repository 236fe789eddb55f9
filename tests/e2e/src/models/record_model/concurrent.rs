//! Eight tasks on the same two users, with a Redis that fails now and then. When all is quiet, and
//! what failed was repeated as clients would, everything must be in its place (`settled`).

mod actions;
mod settled;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures_util::future::join_all;
use runtime::feed::relay;
use shared::notification::Notification;
use shared::{Preferences, UserId};
use support::RedisServer;

use super::crowd::{Member, Server, on_each_database};
use super::heard::{Listener, check_order, is_heard};
use super::seed::{cases, seed};
use actions::{act, forget};
use settled::check;

const TASKS: u64 = 8;
const ACTIONS: u64 = 30;
const ROUNDS: u32 = 8;
/// One call of Redis in so many fails.
const FAULT_RATE: u64 = 12;
const NOW_MS: i64 = 1_800_000_000_000;

on_each_database!(many_at_once);

async fn many_at_once(server: &Server) {
    let redis = RedisServer::start().await;
    let seed = seed();
    for round in 0..cases(ROUNDS) {
        let seed = seed.wrapping_add(u64::from(round) << 8);
        if let Err(error) = run(server, &redis, seed).await {
            panic!("BELLWIRE_MODEL_SEED={seed}: {error}");
        }
    }
    redis.run::<()>("FLUSHALL").await;
}

/// What was answered.
#[derive(Default)]
struct Made {
    by_user: [BTreeMap<i64, Notification>; 2],
    deleted: BTreeSet<String>,
    /// Deletes that did not reach the feed.
    unfinished: Vec<(usize, String)>,
}

fn user(at: usize) -> UserId {
    UserId::parse(["alice", "bob"][at]).unwrap()
}

async fn run(server: &Server, redis: &RedisServer, seed: u64) -> Result<(), String> {
    let quiet = Member::join(server, redis, seed, 0).await;
    quiet.database.remove().await;
    redis.run::<()>("FLUSHALL").await;
    quiet.record.migrate().await.map_err(|error| error.to_string())?;
    let muting = Preferences::from_json(r#"{"kinds":{"quiet":{"feed":false}}}"#).unwrap();
    let put = quiet.record.put_preferences(&user(1), &muting, NOW_MS).await;
    put.map_err(|error| error.to_string())?;
    let (epoch, _) = quiet.record.pending("", 1).await.map_err(|error| error.to_string())?;
    let mut listener = Listener::subscribe(redis).await;
    let made = Rc::new(RefCell::new(Made::default()));

    let tasks = (1..=TASKS).map(async |number| {
        let member = Member::join(server, redis, seed + number, FAULT_RATE).await;
        for _ in 0..ACTIONS {
            act(&member, redis, &made).await?;
            member.dawdle().await;
        }
        Ok::<_, String>(())
    });
    join_all(tasks).await.into_iter().collect::<Result<Vec<_>, _>>()?;

    let mut made = made.take();
    for (at, id) in std::mem::take(&mut made.unfinished) {
        let at_rev =
            quiet.record.delete(&user(at), &id, NOW_MS).await.map_err(|error| error.to_string())?;
        forget(&quiet, at, &at_rev.ok_or("a deleted entry is unknown")?, &id).await?;
    }
    let outcome = relay::run(&quiet.redis, &quiet.record, NOW_MS, || true).await;
    let outcome = outcome.map_err(|error| format!("the relay failed: {error:?}"))?;
    if outcome.pending > 0 {
        return Err(format!("the relay left {outcome:?}"));
    }
    for at in 0..2 {
        check(&quiet, redis, &made, at).await?;
    }
    let (epoch_now, _) = quiet.record.pending("", 1).await.map_err(|error| error.to_string())?;
    if epoch_now != epoch {
        return Err("the epoch was rotated without a reason".to_owned());
    }
    let messages = listener.take(&mut redis.connection().await).await;
    check_order(&messages, &BTreeSet::new(), &BTreeSet::new())?;
    let all = made.by_user.iter().flat_map(BTreeMap::values);
    for entry in all.filter(|entry| !made.deleted.contains(&entry.id)) {
        if !is_heard(&messages, &entry.to_json()) {
            return Err(format!("never published: {entry:?}"));
        }
    }
    Ok(())
}
