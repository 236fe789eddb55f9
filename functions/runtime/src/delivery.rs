//! From the record to the feed: one Lua call in the usual case, and the ways back to order when
//! calls overtook each other, a feed is cold, or the record was replaced.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::Notification;
use shared::{UserId, keys, script};

use crate::log;
use crate::record::{Entry, Record, RecordError, Window};
use crate::redis::{Arg, Redis, RedisError, Reply};

/// Rounds of push, catch up and load before a delivery gives up and leaves it to the relay. Three
/// suffice unless others work on the same feed meanwhile.
const ROUNDS_MAX: usize = 8;

/// Where a delivery is to end.
struct Goal {
    /// The feed must have everything up to this seq.
    head: i64,
    /// The one entry that is delivered, when it is one: it may have been deleted meanwhile.
    entry: Option<i64>,
}

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

/// Answer of `feed_push.lua`.
#[derive(Debug, PartialEq, Eq)]
enum Pushed {
    Ok(i64),
    Cold,
    Gap(i64),
    Conflict,
    Stale,
}

/// Puts entries that were just committed under `epoch` into their user's feed and on the channel,
/// and with them whatever the record has below that is not there yet. The entries are one user's,
/// oldest first, with consecutive seqs.
///
/// # Errors
/// When Redis or the record is away; then the relay delivers later.
pub async fn deliver(
    redis: &impl Redis,
    record: &impl Record,
    entries: &[Notification],
    epoch: &str,
) -> Result<(), DeliveryError> {
    let (Some(oldest), Some(newest)) = (entries.first(), entries.last()) else { return Ok(()) };
    let user = &newest.draft.user_id;
    let first = if oldest.seq == 1 && entries.len() <= FEED_ENTRIES_MAX {
        // The user's first entries are everything the record has: load without reading it.
        let head = newest.seq;
        let call = Call { mode: "load", epoch, head, ..Call::default() };
        call.run(redis, user, entries).await?
    } else {
        push(redis, user, epoch, oldest.seq - 1, entries).await?
    };
    let goal = Goal { head: newest.seq, entry: Some(newest.seq) };
    settle(redis, record, user, epoch, first, &goal).await.map(drop)
}

/// Makes sure that a feed has everything up to `target`, for an entry that was answered before and
/// whose push may have been lost.
///
/// # Errors
/// When Redis or the record is away.
pub async fn ensure(
    redis: &impl Redis,
    record: &impl Record,
    user: &UserId,
    epoch: &str,
    target: i64,
) -> Result<(), DeliveryError> {
    // A push of nothing above the target: answers `ok`, or what is missing.
    let first = push(redis, user, epoch, target, &[]).await?;
    settle(redis, record, user, epoch, first, &Goal { head: target, entry: None }).await.map(drop)
}

/// Brings a feed whose newest entry is `head` (`None`: a cold one) up to `target` at least, and
/// returns the seq up to which it then has everything.
///
/// # Errors
/// When Redis or the record is away.
pub async fn catch_up(
    redis: &impl Redis,
    record: &impl Record,
    user: &UserId,
    epoch: &str,
    head: Option<i64>,
    target: i64,
) -> Result<i64, DeliveryError> {
    let state = head.map_or(Pushed::Cold, Pushed::Gap);
    settle(redis, record, user, epoch, state, &Goal { head: target, entry: None }).await
}

/// Loads a feed that a reader found cold. Returns what the record has, and whether the feed was
/// loaded: when Redis is away the reader can still be served from the record.
///
/// # Errors
/// When the record is away.
pub async fn load_cold(
    redis: &impl Redis,
    record: &impl Record,
    user: &UserId,
) -> Result<(Window, Result<(), DeliveryError>), RecordError> {
    let window = record.window(user, FEED_ENTRIES_MAX).await?;
    let goal = Goal { head: window.head, entry: None };
    let loaded = match load(redis, user, &window).await {
        Ok(state) => settle(redis, record, user, &window.epoch, state, &goal).await.map(drop),
        Err(error) => Err(error.into()),
    };
    Ok((window, loaded))
}

/// Takes an entry that the record has deleted at revision `rev` out of a feed; with an empty `id`
/// everything, foreign entries included.
///
/// # Errors
/// When Redis is away; repeat it then.
pub async fn forget(
    redis: &impl Redis,
    user: &UserId,
    rev: i64,
    id: &str,
) -> Result<(), RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let args = [Arg::Int(rev), Arg::Int(FEED_TTL_S as i64), Arg::Text(id)];
    redis.eval(&script::FEED_DELETE, &keys, &args).await.map(drop)
}

/// Goes on from an answer of the script until the feed has everything.
async fn settle(
    redis: &impl Redis,
    record: &impl Record,
    user: &UserId,
    epoch: &str,
    first: Pushed,
    goal: &Goal,
) -> Result<i64, DeliveryError> {
    let mut epoch = epoch.to_owned();
    let mut state = first;
    for _ in 0..ROUNDS_MAX {
        state = match state {
            Pushed::Ok(head) if head >= goal.head => return Ok(head),
            Pushed::Ok(head) | Pushed::Gap(head) => {
                let missing = record.entries_after(user, head, FEED_ENTRIES_MAX).await?;
                match missing.len() {
                    // What is missing was deleted.
                    0 => return Ok(goal.head.max(head)),
                    // More than a window is missing: the newest are loaded, the rest is skipped
                    // and clients are told of the gap.
                    FEED_ENTRIES_MAX.. => Pushed::Cold,
                    _ => push(redis, user, &epoch, head, &notifications(missing)).await?,
                }
            }
            Pushed::Cold | Pushed::Stale => {
                let window = record.window(user, FEED_ENTRIES_MAX).await?;
                epoch.clone_from(&window.epoch);
                load(redis, user, &window).await?
            }
            Pushed::Conflict => {
                // The feed has no trace of an entry within its window. One that was deleted in the
                // meantime is no loss; one that exists means that the record was restored from an
                // older copy and counts the same numbers again. Only a new epoch tells them apart.
                if let Some(seq) = goal.entry
                    && !record.has_entry(user, seq).await?
                {
                    return Ok(goal.head);
                }
                epoch = record.rotate_epoch(&epoch).await?;
                log::warn("epoch_rotated", &[("reason", "the record went back in time")]);
                Pushed::Cold
            }
        };
    }
    Err(DeliveryError::Busy)
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
    let reads = window
        .entries
        .iter()
        .filter_map(|entry| Some((entry.notification.seq, entry.read_at_ms?)))
        .collect::<Vec<_>>();
    let call = Call {
        mode: "load",
        epoch: &window.epoch,
        after,
        publish_after: window.sent_seq,
        head: window.head,
        rev: window.rev,
        reads: reads_text(&reads),
    };
    call.run(redis, user, &notifications(window.entries.clone())).await
}

fn notifications(entries: Vec<Entry>) -> Vec<Notification> {
    entries.into_iter().map(|entry| entry.notification).collect()
}

/// Marks as the companion keeps them: `seq=ms;seq=ms;`.
pub fn reads_text(reads: &[(i64, i64)]) -> String {
    reads.iter().map(|(seq, ms)| format!("{seq}={ms};")).collect()
}

/// The fixed arguments of `feed_push.lua`; the file explains them.
#[derive(Default)]
struct Call<'a> {
    mode: &'a str,
    epoch: &'a str,
    after: i64,
    publish_after: i64,
    head: i64,
    rev: i64,
    reads: String,
}

impl Call<'_> {
    async fn run(
        &self,
        redis: &impl Redis,
        user: &UserId,
        entries: &[Notification],
    ) -> Result<Pushed, RedisError> {
        let jsons: Vec<String> = entries.iter().map(Notification::to_json).collect();
        let mut args = vec![
            Arg::Text(self.mode),
            Arg::Text(self.epoch),
            Arg::Int(self.after),
            Arg::Int(self.publish_after),
            Arg::Int(FEED_ENTRIES_MAX as i64),
            Arg::Int(FEED_TTL_S as i64),
            Arg::Int(self.head),
            Arg::Int(self.rev),
            Arg::Text(&self.reads),
            Arg::Text(keys::NOTIFICATIONS_CHANNEL),
        ];
        for (entry, json) in entries.iter().zip(&jsons) {
            args.push(Arg::Int(entry.seq));
            args.push(Arg::Text(json));
            args.push(Arg::Int(entry.draft.expires_at_ms.map_or(0, |ms| ms.max(1))));
        }
        let keys = [keys::feed(user), keys::feed_companion(user)];
        parse(&redis.eval(&script::FEED_PUSH, &keys, &args).await?)
    }
}

fn parse(reply: &[Reply]) -> Result<Pushed, RedisError> {
    let head = reply.get(1).and_then(Reply::int);
    match (reply.first().and_then(Reply::text), head) {
        (Some("ok"), Some(head)) => Ok(Pushed::Ok(head)),
        (Some("cold"), _) => Ok(Pushed::Cold),
        (Some("gap"), Some(head)) => Ok(Pushed::Gap(head)),
        (Some("conflict"), _) => Ok(Pushed::Conflict),
        (Some("stale"), _) => Ok(Pushed::Stale),
        _ => Err(RedisError::Refused("feed_push gave an unexpected reply".to_owned())),
    }
}
