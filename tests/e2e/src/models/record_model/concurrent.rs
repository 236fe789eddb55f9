//! Eight tasks on the same two users, with a Redis that fails now and then. When all is quiet, and
//! what failed was repeated as clients would, everything must be in its place.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures_util::future::join_all;
use runtime::feed::delivery::{self, DeliveryError, load_cold};
use runtime::feed::marks;
use runtime::feed::relay;
use runtime::ports::redis::{Arg, Redis as _, RedisError};
use runtime::ports::sql::{Sql as _, Value};
use runtime::record::{Deleted, Marked, NewEntry, Outcome};
use shared::limits::{FEED_ENTRIES_MAX, FEED_MARKS_MAX};
use shared::notification::{Draft, Notification};
use shared::time::rfc3339;
use shared::{Preferences, UserId, keys, script};
use support::RedisServer;

use super::calls::page_of;
use super::crowd::{Member, Server};
use super::feed::Feed;
use super::heard::{Listener, check_order, is_heard};
use super::seed::{cases, seed, unique, uuid_v7};

const TASKS: u64 = 8;
const ACTIONS: u64 = 30;
const ROUNDS: u32 = 8;
/// One call of Redis in so many fails.
const FAULT_RATE: u64 = 12;
const NOW_MS: i64 = 1_800_000_000_000;

#[tokio::test]
async fn many_at_once_on_sqlite() {
    many_at_once(&Server::sqlite()).await;
}

#[tokio::test]
async fn many_at_once_on_postgres() {
    many_at_once(&Server::postgres().await).await;
}

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

async fn act(member: &Member, redis: &RedisServer, made: &RefCell<Made>) -> Result<(), String> {
    let at = usize::from(member.pick(2) == 0);
    let record = |error: runtime::record::RecordError| format!("the record failed: {error}");
    match member.pick(20) {
        0..8 => {
            let many = if member.pick(8) == 0 { 12 } else { 1 + member.pick(3) };
            let items: Vec<NewEntry> = (0..many)
                .map(|_| {
                    let at = if many > 2 { member.pick(2) as usize } else { at };
                    item(at, member.pick(3) == 0)
                })
                .collect();
            let created = member.record.create(&items, 0).await.map_err(record)?;
            let mut groups: [Vec<Notification>; 2] = Default::default();
            for (item, outcome) in items.into_iter().zip(created.outcomes) {
                let Outcome::Created { seq, quiet } = outcome else {
                    return Err(format!("{outcome:?}"));
                };
                let NewEntry { draft, id, created_at_ms, .. } = item;
                let at = usize::from(draft.user_id.as_str() == "bob");
                let entry = Notification { id, seq, draft, created_at_ms, quiet };
                if made.borrow_mut().by_user[at].insert(seq, entry.clone()).is_some() {
                    return Err(format!("{seq} was given twice"));
                }
                groups[at].push(entry);
            }
            member.dawdle().await;
            for group in groups {
                let done =
                    delivery::deliver(&member.redis, &member.record, &group, &created.epoch).await;
                bearable(done)?;
            }
        }
        8..11 => read(member, at).await.map(drop)?,
        11..13 => {
            let newest = made.borrow().by_user[at].keys().next_back().copied().unwrap_or(0);
            let marked = Marked::UpTo(newest - member.pick(5) as i64);
            let user = user(at);
            let marks = member.record.mark_read(&user, &marked, NOW_MS, FEED_MARKS_MAX).await;
            let marks = marks.map_err(record)?;
            member.dawdle().await;
            let done =
                marks::bring(&member.redis, &member.record, &user, &marks, &[], NOW_MS, "").await;
            bearable(done.map(drop))?;
        }
        13..15 => {
            let picked = {
                let made = made.borrow();
                let skipped = member.pick(6) as usize;
                made.by_user[at].values().rev().nth(skipped).map(|entry| entry.id.clone())
            };
            let Some(id) = picked else { return Ok(()) };
            made.borrow_mut().deleted.insert(id.clone());
            let rev = member.record.delete(&user(at), &id, NOW_MS).await.map_err(record)?;
            member.dawdle().await;
            if forget(member, at, &rev.ok_or("unknown to the record")?, &id).await.is_err() {
                made.borrow_mut().unfinished.push((at, id));
            }
        }
        15..17 => {
            let outcome = relay::run(&member.redis, &member.record, NOW_MS, || true).await;
            if let Err(relay::RelayError::Record(error)) = outcome {
                return Err(record(error));
            }
        }
        17..19 => {
            let element = format!(r#"{{"id":"{}"}}"#, unique());
            let list = keys::feed(&user(at));
            redis.run_words::<()>(&["LPUSH", &list, &element]).await;
        }
        _ => redis.run_words::<()>(&["DEL", &keys::feed(&user(at))]).await,
    }
    Ok(())
}

fn item(at: usize, is_quiet: bool) -> NewEntry {
    let draft = Draft {
        user_id: user(at),
        title: "title".to_owned(),
        body: None,
        kind: is_quiet.then(|| "quiet".to_owned()),
        data: None,
        expires_at_ms: None,
    };
    NewEntry { draft, id: uuid_v7(NOW_MS), created_at_ms: NOW_MS, idempotency: None, push: None }
}

/// Redis may fail here, and others may be faster for ever; the record may not fail.
fn bearable(done: Result<(), DeliveryError>) -> Result<(), String> {
    match done {
        Ok(()) | Err(DeliveryError::Busy | DeliveryError::Redis(RedisError::Unavailable(_))) => {
            Ok(())
        }
        Err(error) => Err(format!("a delivery failed: {error}")),
    }
}

async fn forget(member: &Member, at: usize, deleted: &Deleted, id: &str) -> Result<(), String> {
    let done = delivery::forget(&member.redis, &user(at), id, deleted, NOW_MS).await;
    done.map_err(|error| error.to_string())
}

/// The feed's unread, once it could be loaded.
async fn read(member: &Member, at: usize) -> Result<Option<i64>, String> {
    for _ in 0..2 {
        let keys = [keys::feed(&user(at)), keys::feed_companion(&user(at))];
        let now = rfc3339(NOW_MS);
        let args =
            [Arg::Int(20), Arg::Int(100), Arg::Text(&now), Arg::Text("newest"), Arg::Text("")];
        let Ok(reply) = member.redis.eval(&script::FEED_READ, &keys, &args).await else {
            return Ok(None);
        };
        if reply[0].text() == Some("warm") {
            return Ok(Some(page_of(&reply)?.unread));
        }
        member.dawdle().await;
        let (_, loaded) = load_cold(&member.redis, &member.record, &user(at))
            .await
            .map_err(|error| error.to_string())?;
        bearable(loaded)?;
    }
    Ok(None)
}

async fn check(quiet: &Member, redis: &RedisServer, made: &Made, at: usize) -> Result<(), String> {
    let statement = format!(
        "SELECT seq, CASE WHEN read_at_ms IS NULL THEN 1 ELSE 0 END FROM {} \
         WHERE user_id = '{}' ORDER BY seq",
        quiet.database.table("notifications"),
        user(at)
    );
    let rows = quiet.database.query(&statement, Vec::new()).await;
    let rows = rows.map_err(|error| error.text)?;
    let number = |value: &Value| match value {
        Value::Int(value) => *value,
        other => panic!("{other:?} is no number"),
    };
    let seqs: Vec<i64> = rows.iter().map(|row| number(&row[0])).collect();
    let entries = &made.by_user[at];
    if !seqs.iter().copied().eq(1..=entries.len() as i64) || !entries.keys().eq(&seqs) {
        return Err(format!("the record is not dense: {seqs:?}"));
    }
    // What every mark and delete left behind is brought to the feed once more, as by a client.
    let marked = Marked::Ids(Vec::new());
    let marks = quiet.record.mark_read(&user(at), &marked, NOW_MS, FEED_MARKS_MAX).await;
    let marks = marks.map_err(|error| error.to_string())?;
    let brought =
        marks::bring(&quiet.redis, &quiet.record, &user(at), &marks, &[], NOW_MS, "").await;
    brought.map_err(|error| error.to_string())?;
    let unread = read(quiet, at).await?.ok_or("the feed stays cold")?;

    let feed = Feed::look(&mut redis.connection().await, &user(at)).await;
    feed.check(false)?;
    let foreign: Vec<_> =
        feed.elements.iter().filter(|element| !element.contains("title")).collect();
    if foreign.iter().collect::<BTreeSet<_>>().len() < foreign.len() {
        return Err(format!("a foreign element is there twice: {feed:?}"));
    }
    let unread_seqs: BTreeSet<i64> =
        rows.iter().filter(|row| number(&row[1]) == 1).map(|row| number(&row[0])).collect();
    let wanted = entries.values().rev().filter(|entry| !made.deleted.contains(&entry.id));
    let wanted: Vec<String> = wanted.map(Notification::to_json).collect();
    let ours = feed.ours();
    let pairs = ours
        .iter()
        .map(|(_, json)| Some(*json))
        .zip(wanted.iter().map(|json| Some(json.as_str())).chain(std::iter::repeat(None)));
    if let Some((ours, wanted)) = pairs.into_iter().find(|(ours, wanted)| ours != wanted) {
        let deleted = made.deleted.iter().find(|id| ours.unwrap_or_default().contains(*id));
        let what = "the feed is not what the record has";
        return Err(format!("{at}: {what}: {ours:?} {wanted:?} {deleted:?} {feed:?}"));
    }
    // Deletes leave places that nothing takes.
    if ours.len() < wanted.len() && feed.elements.len() + made.deleted.len() < FEED_ENTRIES_MAX {
        return Err(format!("{at}: entries are missing: {feed:?}"));
    }
    let counted = ours.iter().filter(|(seq, _)| unread_seqs.contains(seq)).count() as i64;
    match counted == unread {
        true => Ok(()),
        false => Err(format!("{at}: unread is {unread}, not {counted}")),
    }
}
