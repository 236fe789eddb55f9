//! Delivery from the record to the feed: one Lua call in the usual case, and the repairs after
//! calls overtook each other, a feed went cold, or the record was replaced.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::Notification;
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use super::push_script::{Call, Pushed};

use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError};
use crate::ports::sql::Sql;
use crate::record::{Deleted, Entry, Marks, Record, RecordError, Revision, Shown, Window};

/// Rounds of append, catch-up and load before a delivery leaves the feed to the relay. Three
/// suffice unless other calls change the same feed meanwhile.
const ROUNDS_MAX: usize = 8;

/// Why a delivery failed. The notification itself is safe in the record.
#[derive(Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// A call of Redis failed.
    Redis(RedisError),
    /// An operation of the record failed.
    Record(RecordError),
    /// Other calls kept changing the feed.
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
        let call = Call { mode: "load", epoch, head, ..Call::default() };
        call.run(redis, user, entries).await?
    } else {
        push(redis, user, epoch, oldest.seq - 1, entries).await?
    };
    settle(redis, record, user, epoch, first, goal).await.map(drop)
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
    let first = push(redis, user, epoch, target, &[]).await?;
    settle(redis, record, user, epoch, first, target).await.map(drop)
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

/// Loads a feed that a reader found cold. Returns the record's entries, and whether the feed was
/// loaded: if Redis is unavailable, the reader is still served from the record.
///
/// # Errors
/// [`RecordError`].
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

/// Removes an entry that the record has deleted from the feed, or keeps it from being appended
/// later, and tells the user's sockets.
///
/// # Errors
/// [`RedisError`]; repeat the call.
pub async fn forget(
    redis: &impl Redis,
    user: &UserId,
    id: &str,
    deleted: &Deleted,
    now_ms: i64,
) -> Result<(), RedisError> {
    let event =
        format!("{{\"type\":\"removed\",\"userId\":\"{user}\",\"ids\":[\"{id}\"],\"unread\":");
    forget_from(redis, user, &deleted.at, (id, deleted.seq), now_ms, &event).await
}

/// Removes all entries from a feed, foreign ones included, at the revision after an erase, and
/// tells the user's sockets.
///
/// # Errors
/// [`RedisError`]; repeat the call.
pub async fn forget_all(
    redis: &impl Redis,
    user: &UserId,
    at: &Revision,
    now_ms: i64,
) -> Result<(), RedisError> {
    let event = format!("{{\"type\":\"removed\",\"userId\":\"{user}\",\"all\":true,\"unread\":");
    forget_from(redis, user, at, ("", 0), now_ms, &event).await
}

async fn forget_from(
    redis: &impl Redis,
    user: &UserId,
    at: &Revision,
    (id, seq): (&str, i64),
    now_ms: i64,
    event: &str,
) -> Result<(), RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let now = rfc3339(now_ms);
    let args = [
        Arg::Int(at.rev),
        Arg::Int(FEED_TTL_S as i64),
        Arg::Text(id),
        Arg::Text(&at.epoch),
        Arg::Int(seq),
        Arg::Int(FEED_ENTRIES_MAX as i64),
        Arg::Text(&now),
        Arg::Text(keys::EVENTS_CHANNEL),
        Arg::Text(event),
    ];
    redis.eval(&script::FEED_DELETE, &keys, &args).await.map(drop)
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
                match entries.iter().filter(|entry| entry.notification.seq > head).count() {
                    // The missing entries were deleted.
                    0 => return Ok(goal.max(head)),
                    // More than a feed window is missing: the newest entries are loaded, the others
                    // are skipped, and clients are told of the gap.
                    FEED_ENTRIES_MAX.. => Pushed::Cold,
                    _ => push(redis, user, &epoch, known, &notifications(entries)).await?,
                }
            }
            Pushed::Cold => {
                let window = record.window(user, FEED_ENTRIES_MAX).await?;
                epoch.clone_from(&window.epoch);
                load(redis, user, &window).await?
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
                let window = record.window(user, 0).await?;
                if window.epoch == epoch && window.head < head {
                    epoch = rotate(record, &epoch).await?;
                }
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

async fn load(redis: &impl Redis, user: &UserId, window: &Window) -> Result<Pushed, RedisError> {
    // Older entries may exist below a full feed window; a shorter one has all entries.
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
