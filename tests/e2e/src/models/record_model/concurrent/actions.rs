//! What a task does: one call of the mechanisms, or what another service does to a feed.

use std::cell::RefCell;

use runtime::feed::delivery::{self, DeliveryError, load_cold};
use runtime::feed::{marks, relay, removal};
use runtime::ports::redis::{Arg, Redis as _, RedisError};
use runtime::record::{Deleted, ImportedEntry, Marked, NewEntry, Outcome, RecordError};
use shared::limits::FEED_MARKS_MAX;
use shared::notification::{Draft, Notification};
use shared::time::rfc3339;
use shared::{keys, script};
use support::RedisServer;

use super::super::calls::page_of;
use super::super::crowd::Member;
use super::super::seed::{unique, uuid_v7};
use super::{Made, NOW_MS, user};

/// How long before its import an entry was created.
const AGE_MS: i64 = 1_000_000;

pub(super) async fn act(
    member: &Member,
    redis: &RedisServer,
    made: &RefCell<Made>,
) -> Result<(), String> {
    let at = usize::from(member.pick(2) == 0);
    match member.pick(22) {
        0..8 => create_some(member, made, at).await?,
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
        17..19 => import(member, made, at).await?,
        19..21 => {
            let element = format!(r#"{{"id":"{}"}}"#, unique());
            let list = keys::feed(&user(at));
            redis.run_words::<()>(&["LPUSH", &list, &element]).await;
        }
        _ => redis.run_words::<()>(&["DEL", &keys::feed(&user(at))]).await,
    }
    Ok(())
}

/// Commits entries. Returns the epoch, and what is to be delivered to either user.
pub(super) async fn create(
    member: &Member,
    items: Vec<NewEntry>,
    made: &RefCell<Made>,
) -> Result<(String, [Vec<Notification>; 2]), String> {
    let created = member.record.create(&items, 0).await.map_err(record)?;
    let mut groups: [Vec<Notification>; 2] = Default::default();
    for (item, outcome) in items.into_iter().zip(created.outcomes) {
        let (at, entry) = note(item, outcome, made)?;
        groups[at].push(entry);
    }
    Ok((created.epoch, groups))
}

/// Notes an entry that was committed. Returns whose it is, and the entry.
fn note(
    item: NewEntry,
    outcome: Outcome,
    made: &RefCell<Made>,
) -> Result<(usize, Notification), String> {
    let Outcome::Created { seq, quiet } = outcome else {
        return Err(format!("{outcome:?}"));
    };
    let NewEntry { draft, id, created_at_ms, .. } = item;
    let at = usize::from(draft.user_id.as_str() == "bob");
    let entry = Notification { id, seq, draft, created_at_ms, quiet };
    match made.borrow_mut().by_user[at].insert(seq, entry.clone()) {
        None => Ok((at, entry)),
        Some(_) => Err(format!("{seq} was given twice")),
    }
}

async fn create_some(member: &Member, made: &RefCell<Made>, at: usize) -> Result<(), String> {
    let many = some(member);
    let items = (0..many)
        .map(|number| {
            let at = match many {
                1 => at,
                2 => number as usize,
                _ => member.pick(2) as usize,
            };
            item(at, member.pick(3) == 0)
        })
        .collect();
    let (epoch, groups) = create(member, items, made).await?;
    member.dawdle().await;
    if groups.iter().all(|group| group.len() <= 1) && member.pick(2) == 0 {
        let entries = groups.concat();
        let all =
            delivery::deliver_many(&member.redis, &member.record, &entries, &epoch, None).await;
        return all.into_iter().try_for_each(bearable);
    }
    for group in groups {
        let done = delivery::deliver(&member.redis, &member.record, &group, &epoch).await;
        bearable(done)?;
    }
    Ok(())
}

/// Imports entries, of which every other one was read elsewhere.
async fn import(member: &Member, made: &RefCell<Made>, at: usize) -> Result<(), String> {
    let entry = |number| ImportedEntry {
        entry: NewEntry { created_at_ms: NOW_MS - AGE_MS, ..item(at, false) },
        read_at_ms: (number % 2 == 0).then_some(NOW_MS - AGE_MS / 2),
    };
    let items: Vec<ImportedEntry> = (0..some(member)).map(entry).collect();
    let imported = member.record.import(&items, NOW_MS).await.map_err(record)?;
    for (item, outcome) in items.into_iter().zip(imported.outcomes) {
        note(item.entry, outcome, made)?;
    }
    member.dawdle().await;
    let user = user(at);
    match delivery::bring_imported(&member.redis, &member.record, &user).await {
        Ok(marks) => {
            let told = marks::announce(&member.redis, &member.record, &user, &marks, NOW_MS).await;
            bearable(told)
        }
        Err(error) => bearable(Err(error)),
    }
}

/// How many entries one call makes.
fn some(member: &Member) -> u64 {
    if member.pick(8) == 0 { 12 } else { 1 + member.pick(3) }
}

fn record(error: RecordError) -> String {
    format!("the record failed: {error}")
}

pub(super) fn item(at: usize, is_quiet: bool) -> NewEntry {
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

pub(super) async fn forget(
    member: &Member,
    at: usize,
    deleted: &Deleted,
    id: &str,
) -> Result<(), String> {
    let done = removal::forget(&member.redis, &user(at), id, deleted, NOW_MS).await;
    done.map_err(|error| error.to_string())
}

/// The feed's unread, once it could be loaded.
pub(super) async fn read(member: &Member, at: usize) -> Result<Option<i64>, String> {
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
