//! Delivery from the record to the feed: one Lua call in the usual case, and the repairs after
//! calls overtook each other, a feed went cold, or the record was replaced.

mod error;

use std::slice;

pub use error::DeliveryError;

use futures_util::future::join_all;
use shared::UserId;
use shared::limits::FEED_ENTRIES_MAX;
use shared::notification::{Notification, Quiet};

use super::push_script::{Call, Pushed, push_many};

use crate::log;
use crate::ports::redis::{Redis, RedisError};
use crate::ports::sql::Sql;
use crate::record::{Entry, Marks, Record, RecordError, Shown, Window};

/// Rounds of append, catch-up and load before a delivery leaves the feed to the relay. Three
/// suffice unless other calls change the same feed meanwhile.
const ROUNDS_MAX: usize = 8;
/// Users in one call of Redis. Each takes it some 30 µs, and other calls wait meanwhile; a hundred
/// times as long if another service has trimmed a list of large elements.
const USERS_PER_CALL: usize = 16;
/// Such calls under way at the same time.
const CALLS_AT_ONCE: usize = 4;
/// Users whose feeds are repaired at the same time, which takes calls of Redis and of the record for
/// each: bounds memory, the instance's tasks, and the connections that others wait for.
const REPAIRS_AT_ONCE: usize = 32;

/// Appends entries that were just committed under `epoch` to their user's feed and publishes them,
/// along with older entries of the record that the feed lacks. The entries belong to one user, in
/// any order, and other calls may have committed entries between them.
///
/// # Errors
/// [`DeliveryError`]; then the relay delivers later.
pub async fn deliver(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    entries: &[Notification],
    epoch: &str,
) -> Result<(), DeliveryError> {
    deliver_traced(redis, record, entries, epoch, None).await
}

/// [`deliver`] with the caller's `traceparent`, which hubs log when they pass the entries on. It is
/// lost if the feed has to be loaded first, or is behind.
///
/// # Errors
/// [`DeliveryError`]; then the relay delivers later.
pub async fn deliver_traced(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    entries: &[Notification],
    epoch: &str,
    trace: Option<&str>,
) -> Result<(), DeliveryError> {
    let mut entries = entries.to_vec();
    entries.sort_unstable_by_key(|entry| entry.seq);
    let (Some(oldest), Some(newest)) = (entries.first(), entries.last()) else { return Ok(()) };
    let (user, goal) = (&newest.draft.user_id, newest.seq);
    // Entries whose keys had expired are committed after the others of their batch, with entries of
    // other calls in between. This call appends the first unbroken run; `settle` the rest.
    let run = entries.iter().zip(oldest.seq..).take_while(|(entry, seq)| entry.seq == *seq).count();
    let entries = &entries[..run];
    let first = if oldest.seq == 1 && run <= FEED_ENTRIES_MAX {
        // The user's first entries are all that the record has: load them without reading it.
        let head = oldest.seq - 1 + run as i64;
        let call = Call { mode: "load", epoch, head, trace, ..Call::default() };
        call.run(redis, user, entries).await?
    } else {
        let after = oldest.seq - 1;
        let call = Call { mode: "push", epoch, after, trace, ..Call::default() };
        call.run(redis, user, entries).await?
    };
    settle(redis, record, user, epoch, first, goal).await.map(drop)
}

/// [`deliver_traced`] for many users with one entry each, by one call of Redis for a part of them.
/// Returns the result of each.
pub async fn deliver_many(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    entries: &[Notification],
    epoch: &str,
    trace: Option<&str>,
) -> Vec<Result<(), DeliveryError>> {
    let mut done = Vec::with_capacity(entries.len());
    for some in entries.chunks(CALLS_AT_ONCE * USERS_PER_CALL) {
        let calls = some.chunks(USERS_PER_CALL);
        let calls = calls.map(|entries| push_many(redis, epoch, entries, trace));
        let pushed: Vec<_> = join_all(calls).await.into_iter().flatten().collect();
        let mut rest = some.iter().zip(pushed).map(async |(entry, first)| {
            let (user, goal) = (&entry.draft.user_id, entry.seq);
            match first? {
                Some(first) => settle(redis, record, user, epoch, first, goal).await.map(drop),
                None => deliver_traced(redis, record, slice::from_ref(entry), epoch, trace).await,
            }
        });
        loop {
            let settled = join_all(rest.by_ref().take(REPAIRS_AT_ONCE)).await;
            if settled.is_empty() {
                break;
            }
            done.extend(settled);
        }
    }
    done
}

/// Brings entries that were just imported to their user's feed, with their read marks: below other
/// services' elements that are on top of it, and without publishing them. Returns the marks that the
/// feed has now, for [`announce`](super::marks::announce).
///
/// # Errors
/// [`DeliveryError`]; then the relay brings them later.
pub async fn bring_imported(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
) -> Result<Marks, DeliveryError> {
    let (window, loaded) = load_cold(redis, record, user).await?;
    loaded?;
    Ok(Marks::of(&window))
}

/// Ensures that a feed has all entries up to `target`: for an entry that was answered before, but
/// whose append may have been lost.
///
/// # Errors
/// [`DeliveryError`].
pub async fn ensure(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    epoch: &str,
    target: i64,
) -> Result<(), DeliveryError> {
    // An append of no entries above the target returns `ok`, or the head of an incomplete feed.
    let mut first = push(redis, user, epoch, target, &[]).await?;
    if let Pushed::Ok(_) = first {
        // The feed has come that far, but maybe with other entries: if the record went back in time
        // and this entry's delivery failed, its seq was counted twice. Only its bytes tell.
        let mut entries = record.entries_after(user, target - 1, 1, None, Shown::All).await?;
        entries.retain(|entry| entry.notification.seq == target);
        if !entries.is_empty() {
            first = push(redis, user, epoch, target - 1, &notifications(entries)).await?;
        }
    }
    settle(redis, record, user, epoch, first, target).await.map(drop)
}

/// A new epoch of the record if its user's counter, under `epoch`, is below the head of the feed:
/// the record went back in time and counts the same numbers again.
///
/// # Errors
/// [`RecordError`]; the epoch may have been replaced.
pub async fn leave_lost_future(
    record: &Record<impl Sql>,
    user: &UserId,
    epoch: &str,
    head: i64,
) -> Result<Option<String>, RecordError> {
    let window = record.window(user, 0).await?;
    match window.epoch == epoch && window.head < head {
        true => rotate(record, epoch).await.map(Some),
        false => Ok(None),
    }
}

/// Completes a feed whose newest entry is `head` (`None`: the feed is cold) at least up to
/// `target`, and returns the seq up to which it is complete.
///
/// # Errors
/// [`DeliveryError`].
pub async fn catch_up(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    epoch: &str,
    head: Option<i64>,
    target: i64,
) -> Result<i64, DeliveryError> {
    let state = head.map_or(Pushed::Cold, Pushed::Gap);
    settle(redis, record, user, epoch, state, target).await
}

/// Loads a feed, such as one that a reader found cold. Returns the record's entries, and whether the
/// feed was loaded: if Redis is unavailable, the reader is still served from the record.
///
/// # Errors
/// [`RecordError`].
pub async fn load_cold(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
) -> Result<(Window, Result<(), DeliveryError>), RecordError> {
    let window = record.window(user, FEED_ENTRIES_MAX).await?;
    let loaded = match load(redis, record, user, &window).await {
        Ok(state) => settle(redis, record, user, &window.epoch, state, window.head).await.map(drop),
        Err(error) => Err(error),
    };
    Ok((window, loaded))
}

/// Continues after a reply of the script until the feed has all entries up to `goal`. Returns the
/// seq up to which it is complete.
async fn settle(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    epoch: &str,
    first: Pushed,
    goal: i64,
) -> Result<i64, DeliveryError> {
    let mut epoch = epoch.to_owned();
    let mut state = first;
    for _ in 0..ROUNDS_MAX {
        state = match state {
            Pushed::Ok(head) if head >= goal => return Ok(head),
            Pushed::Ok(head) | Pushed::Gap(head) => {
                // The append starts with the entry at `head`, which the feed must know. If it does
                // not, the record was restored and has counted past `head` again.
                let known = head - 1;
                let entries = record
                    .entries_after(user, known, FEED_ENTRIES_MAX + 1, None, Shown::All)
                    .await?;
                let missing = || entries.iter().filter(|entry| entry.notification.seq > head);
                match missing().count() {
                    // The missing entries were deleted.
                    0 => return Ok(goal.max(head)),
                    // More than a feed window is missing: the newest entries are loaded, the others
                    // are skipped, and clients are told of the gap.
                    FEED_ENTRIES_MAX.. => Pushed::Cold,
                    // An append has no read marks.
                    _ if missing().any(is_imported) => Pushed::Cold,
                    _ => push(redis, user, &epoch, known, &notifications(entries)).await?,
                }
            }
            Pushed::Cold => {
                let window = record.window(user, FEED_ENTRIES_MAX).await?;
                epoch.clone_from(&window.epoch);
                load(redis, record, user, &window).await?
            }
            // An existing entry that the feed does not have in its place, or a feed ahead of the
            // record: the record was restored from an older copy and counts the same numbers again.
            // Only a new epoch tells them apart. An entry that was deleted meanwhile, or a feed
            // that other calls have advanced, looks the same to the script, but not in the record.
            Pushed::Conflict(seq) => {
                if record.has_entry(user, seq).await? {
                    epoch = rotate(record, &epoch).await?;
                }
                Pushed::Cold
            }
            Pushed::Old(head) => {
                let rotated = leave_lost_future(record, user, &epoch, head).await?;
                epoch = rotated.unwrap_or(epoch);
                Pushed::Cold
            }
            Pushed::Outdated(rev) => {
                let window = record.window(user, 0).await?;
                if window.epoch == epoch && window.rev < rev {
                    epoch = rotate(record, &epoch).await?;
                }
                Pushed::Cold
            }
        };
    }
    Err(DeliveryError::Busy)
}

async fn rotate(record: &Record<impl Sql>, epoch: &str) -> Result<String, RecordError> {
    log::warn("epoch_rotated", &[("reason", "the record went back in time")]);
    record.rotate_epoch(epoch).await
}

async fn push(
    redis: &impl Redis,
    user: &UserId,
    epoch: &str,
    after: i64,
    entries: &[Notification],
) -> Result<Pushed, RedisError> {
    Call { mode: "push", epoch, after, ..Call::default() }.run(redis, user, entries).await
}

async fn load(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    window: &Window,
) -> Result<Pushed, DeliveryError> {
    // Older entries may exist below a full feed window; a shorter one has all entries.
    let oldest = window.entries.first().filter(|_| window.entries.len() >= FEED_ENTRIES_MAX);
    let after = oldest.map_or(0, |oldest| oldest.notification.seq - 1);
    // Hubs are told of the places of imported entries, also of those below the feed window.
    let imported_from = match oldest {
        Some(oldest) if is_imported(oldest) && window.sent_seq < after => {
            Some(record.imported_from(user, oldest.notification.seq).await?)
        }
        _ => None,
    };
    let call = Call {
        mode: "load",
        epoch: &window.epoch,
        after,
        publish_after: window.sent_seq,
        head: window.head,
        rev: window.rev,
        reads: Marks::of(window).to_text(),
        trace: None,
        imported_from,
    };
    Ok(call.run(redis, user, &notifications(window.entries.clone())).await?)
}

fn is_imported(entry: &Entry) -> bool {
    entry.notification.quiet == Some(Quiet::Imported)
}

fn notifications(entries: Vec<Entry>) -> Vec<Notification> {
    entries.into_iter().map(|entry| entry.notification).collect()
}
