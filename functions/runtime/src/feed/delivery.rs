//! From the record to the feed: one Lua call in the usual case, and the ways back to order when
//! calls overtook each other, a feed is cold, or the record was replaced.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::Notification;
use shared::{UserId, keys, script};

use super::push_script::{Call, Pushed};

use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError};
use crate::ports::sql::Sql;
use crate::record::{Deleted, Entry, Marks, Record, RecordError, Revision, Window};

/// Rounds of push, catch up and load before a delivery gives up and leaves it to the relay. Three
/// suffice unless others work on the same feed meanwhile.
const ROUNDS_MAX: usize = 8;

/// Why a delivery stopped; the notification itself is safe in the record.
#[derive(Debug, PartialEq, Eq)]
pub enum DeliveryError {
    Redis(RedisError),
    Record(RecordError),
    /// Others kept changing the feed.
    Busy,
}

impl From<RedisError> for DeliveryError {
    fn from(error: RedisError) -> Self {
        DeliveryError::Redis(error)
    }
}

impl From<RecordError> for DeliveryError {
    fn from(error: RecordError) -> Self {
        DeliveryError::Record(error)
    }
}

impl std::fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeliveryError::Redis(error) => write!(f, "redis: {error}"),
            DeliveryError::Record(error) => write!(f, "record: {error}"),
            DeliveryError::Busy => f.write_str("the feed kept changing"),
        }
    }
}

/// Puts entries that were just committed under `epoch` into their user's feed and on the channel,
/// and with them whatever the record has below that is not there yet. The entries are one user's,
/// in any order; others may have come in between them.
///
/// # Errors
/// When Redis or the record is away; then the relay delivers later.
pub async fn deliver(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    entries: &[Notification],
    epoch: &str,
) -> Result<(), DeliveryError> {
    let mut entries = entries.to_vec();
    entries.sort_unstable_by_key(|entry| entry.seq);
    let (Some(oldest), Some(newest)) = (entries.first(), entries.last()) else { return Ok(()) };
    let (user, goal) = (&newest.draft.user_id, newest.seq);
    // Entries whose keys had expired are committed after the others of their batch, and another
    // call's may lie in between: those come along with what is missing then.
    let run = entries.iter().zip(oldest.seq..).take_while(|(entry, seq)| entry.seq == *seq).count();
    let entries = &entries[..run];
    let first = if oldest.seq == 1 && run <= FEED_ENTRIES_MAX {
        // The user's first entries are everything the record has: load without reading it.
        let head = oldest.seq - 1 + run as i64;
        let call = Call { mode: "load", epoch, head, ..Call::default() };
        call.run(redis, user, entries).await?
    } else {
        push(redis, user, epoch, oldest.seq - 1, entries).await?
    };
    settle(redis, record, user, epoch, first, goal).await.map(drop)
}

/// Makes sure that a feed has everything up to `target`, for an entry that was answered before and
/// whose push may have been lost.
///
/// # Errors
/// When Redis or the record is away.
pub async fn ensure(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    epoch: &str,
    target: i64,
) -> Result<(), DeliveryError> {
    // A push of nothing above the target: answers `ok`, or what is missing.
    let first = push(redis, user, epoch, target, &[]).await?;
    settle(redis, record, user, epoch, first, target).await.map(drop)
}

/// Brings a feed whose newest entry is `head` (`None`: a cold one) up to `target` at least, and
/// returns the seq up to which it then has everything.
///
/// # Errors
/// When Redis or the record is away.
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

/// Loads a feed that a reader found cold. Returns what the record has, and whether the feed was
/// loaded: when Redis is away the reader can still be served from the record.
///
/// # Errors
/// When the record is away.
pub async fn load_cold(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
) -> Result<(Window, Result<(), DeliveryError>), RecordError> {
    let window = record.window(user, FEED_ENTRIES_MAX).await?;
    let loaded = match load(redis, user, &window).await {
        Ok(state) => settle(redis, record, user, &window.epoch, state, window.head).await.map(drop),
        Err(error) => Err(error.into()),
    };
    Ok((window, loaded))
}

/// Takes an entry that the record has deleted out of a feed, or keeps it from coming there.
///
/// # Errors
/// When Redis is away; repeat it then.
pub async fn forget(
    redis: &impl Redis,
    user: &UserId,
    id: &str,
    deleted: &Deleted,
) -> Result<(), RedisError> {
    forget_from(redis, user, &deleted.at, id, deleted.seq).await
}

/// Makes a feed forget everything, foreign entries included, at the revision that an erase left.
///
/// # Errors
/// When Redis is away; repeat it then.
pub async fn forget_all(
    redis: &impl Redis,
    user: &UserId,
    at: &Revision,
) -> Result<(), RedisError> {
    forget_from(redis, user, at, "", 0).await
}

async fn forget_from(
    redis: &impl Redis,
    user: &UserId,
    at: &Revision,
    id: &str,
    seq: i64,
) -> Result<(), RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let args = [
        Arg::Int(at.rev),
        Arg::Int(FEED_TTL_S as i64),
        Arg::Text(id),
        Arg::Text(&at.epoch),
        Arg::Int(seq),
    ];
    redis.eval(&script::FEED_DELETE, &keys, &args).await.map(drop)
}

/// Goes on from an answer of the script until the feed has everything up to `goal`.
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
                // With the entry at `head`, which the feed must know: else the record was restored
                // and has counted past it.
                let known = head - 1;
                let entries = record.entries_after(user, known, FEED_ENTRIES_MAX + 1, None).await?;
                match entries.iter().filter(|entry| entry.notification.seq > head).count() {
                    // What is missing was deleted.
                    0 => return Ok(goal.max(head)),
                    // More than a window is missing: the newest are loaded, the rest is skipped
                    // and clients are told of the gap.
                    FEED_ENTRIES_MAX.. => Pushed::Cold,
                    _ => push(redis, user, &epoch, known, &notifications(entries)).await?,
                }
            }
            Pushed::Cold => {
                let window = record.window(user, FEED_ENTRIES_MAX).await?;
                epoch.clone_from(&window.epoch);
                load(redis, user, &window).await?
            }
            // An entry that exists and is not where it must be, or a feed that is ahead of the
            // record: the record was restored from an older copy and counts the same numbers
            // again. Only a new epoch tells them apart. An entry that was deleted in the meantime,
            // or a feed that others brought further, is no such sign: then the record says so.
            Pushed::Conflict(seq) => {
                if record.has_entry(user, seq).await? {
                    epoch = rotate(record, &epoch).await?;
                }
                Pushed::Cold
            }
            Pushed::Old(head) => {
                let window = record.window(user, 0).await?;
                if window.epoch == epoch && window.head < head {
                    epoch = rotate(record, &epoch).await?;
                }
                Pushed::Cold
            }
            Pushed::Stale(rev) => {
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

async fn load(redis: &impl Redis, user: &UserId, window: &Window) -> Result<Pushed, RedisError> {
    // A full window says nothing about what is below it; a shorter one is all there is.
    let after = match window.entries.first() {
        Some(oldest) if window.entries.len() >= FEED_ENTRIES_MAX => oldest.notification.seq - 1,
        _ => 0,
    };
    let call = Call {
        mode: "load",
        epoch: &window.epoch,
        after,
        publish_after: window.sent_seq,
        head: window.head,
        rev: window.rev,
        reads: Marks::of(window).to_text(),
    };
    call.run(redis, user, &notifications(window.entries.clone())).await
}

fn notifications(entries: Vec<Entry>) -> Vec<Notification> {
    entries.into_iter().map(|entry| entry.notification).collect()
}
