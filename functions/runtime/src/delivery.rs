//! From the record to the feed: one Lua call in the usual case, and the ways back to order when
//! calls overtook each other, a feed is cold, or the record was replaced.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::Notification;
use shared::{UserId, keys, script};

use crate::log;
use crate::record::{Record, RecordError, Window};
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

/// Puts a notification that was just committed under `epoch` into the feed and on the channel,
/// and with it whatever the record has below it that is not there yet.
///
/// # Errors
/// When Redis or the record is away; then the relay delivers later.
pub async fn deliver(
    redis: &impl Redis,
    record: &impl Record,
    notification: &Notification,
    epoch: &str,
) -> Result<(), DeliveryError> {
    let user = &notification.draft.user_id;
    let entries = std::slice::from_ref(notification);
    let first = if notification.seq == 1 {
        // The user's first entry is everything the record has: load at once, without reading it.
        let window = Window {
            epoch: epoch.to_owned(),
            head: 1,
            sent_seq: 0,
            read_upto: 0,
            rev: 0,
            entries: Vec::new(),
        };
        load(redis, user, &window, entries).await?
    } else {
        push(redis, user, epoch, notification.seq - 1, entries).await?
    };
    let goal = Goal { head: notification.seq, entry: Some(notification.seq) };
    settle(redis, record, user, epoch, first, &goal).await.map(drop)
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
    let loaded = match load(redis, user, &window, &window.entries).await {
        Ok(state) => settle(redis, record, user, &window.epoch, state, &goal).await.map(drop),
        Err(error) => Err(error.into()),
    };
    Ok((window, loaded))
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
                    _ => push(redis, user, &epoch, head, &missing).await?,
                }
            }
            Pushed::Cold | Pushed::Stale => {
                let window = record.window(user, FEED_ENTRIES_MAX).await?;
                epoch.clone_from(&window.epoch);
                load(redis, user, &window, &window.entries).await?
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
    let call = Call { mode: "push", epoch, after, publish_after: 0, head: 0, rev: 0, read_upto: 0 };
    call.run(redis, user, entries).await
}

async fn load(
    redis: &impl Redis,
    user: &UserId,
    window: &Window,
    entries: &[Notification],
) -> Result<Pushed, RedisError> {
    // A full window says nothing about what is below it; a shorter one is all there is.
    let after = match entries.first() {
        Some(oldest) if entries.len() >= FEED_ENTRIES_MAX => oldest.seq - 1,
        _ => 0,
    };
    let call = Call {
        mode: "load",
        epoch: &window.epoch,
        after,
        publish_after: window.sent_seq,
        head: window.head,
        rev: window.rev,
        read_upto: window.read_upto,
    };
    call.run(redis, user, entries).await
}

/// The fixed arguments of `feed_push.lua`; the file explains them.
struct Call<'a> {
    mode: &'a str,
    epoch: &'a str,
    after: i64,
    publish_after: i64,
    head: i64,
    rev: i64,
    read_upto: i64,
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
            Arg::Int(self.read_upto),
            Arg::Text(keys::NOTIFICATIONS_CHANNEL),
        ];
        for (entry, json) in entries.iter().zip(&jsons) {
            args.push(Arg::Int(entry.seq));
            args.push(Arg::Text(json));
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
