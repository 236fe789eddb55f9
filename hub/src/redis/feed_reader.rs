//! Reads users' feeds: the head from the companion key, and the entries of the list. Pages of users
//! share a round trip; a key of the wrong type fails only its own user's read.

use std::time::Duration;

use bytes::Bytes;
use native::redis::Commands;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, Value, from_redis_value};
use shared::json::object_text;
use shared::limits::FEED_ENTRIES_MAX;
use shared::notification::{expiry_of, is_quiet, our_id_and_seq};
use shared::time::rfc3339;
use shared::wire::{Position, Unread};
use shared::{UserId, keys};

use crate::redis::feed_heads::scripted_heads;

/// An element of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedEntry {
    /// The metadata of a Bellwire element; `None` for elements of other services.
    pub(crate) ours: Option<Ours>,
    /// Whether it counts, but is not delivered: it is muted or imported, or had passed its
    /// `expiresAt` when it was read.
    pub(crate) is_silent: bool,
    /// The element's bytes, which are also the published bytes.
    pub(crate) notification: Bytes,
}

/// The metadata in a Bellwire element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ours {
    pub(crate) seq: i64,
    /// From its UUIDv7: time since the Unix epoch.
    pub(crate) created: Duration,
}

/// The parts of a feed that the hub needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Feed {
    /// `None` if there is no feed.
    pub(crate) head: Option<Position>,
    /// Whether the list still holds every entry that Bellwire left in it: then an entry missing
    /// between two others was deleted, not lost.
    pub(crate) is_intact: bool,
    /// Oldest first.
    pub(crate) entries: Vec<FeedEntry>,
    /// The number of unread entries at the head, if known.
    pub(crate) unread: Option<Unread>,
}

/// The result of reading a feed's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedHead {
    /// `None` if there is no feed of Bellwire's.
    pub(crate) position: Option<Position>,
    /// [`mark`] of the newest element, from any service.
    pub(crate) newest: Option<u64>,
    /// The number of unread entries at the position; `None` if Redis cannot tell.
    pub(crate) unread: Option<Unread>,
}

/// A hash that identifies an element: a published message has the bytes of its element.
pub(crate) fn mark(element: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(element)
}

impl Feed {
    /// Bellwire's entries with their metadata.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (Ours, &FeedEntry)> {
        self.entries.iter().filter_map(|entry| Some((entry.ours?, entry)))
    }

    /// Whether every `seq` missing above `seq` was deleted.
    pub(crate) fn is_anchored(&self, seq: i64) -> bool {
        self.is_intact && self.ours().any(|(ours, _)| ours.seq <= seq)
    }
}

/// Reads the heads of many users, in the order of `users`. `now` is the time since the Unix epoch. An
/// error for users whose server did not answer, or whose answer was malformed.
pub(crate) async fn heads(
    redis: &Commands,
    users: &[&UserId],
    now: Duration,
) -> Vec<RedisResult<FeedHead>> {
    let scripted = scripted_heads(redis, users, &text(now)).await;
    let rejected = users.iter().zip(&scripted).filter(|(_, head)| matches!(head, Ok(None)));
    let rejected: Vec<&UserId> = rejected.map(|(user, _)| *user).collect();
    // A connection needs no more than the position, so a script that this Redis rejects costs the
    // number of unread entries only.
    let plain = if rejected.is_empty() { Vec::new() } else { plain_heads(redis, &rejected).await };
    let mut plain = plain.into_iter();
    let head = |head: RedisResult<Option<FeedHead>>| match head {
        Ok(Some(head)) => Ok(head),
        Ok(None) => plain.next().unwrap_or_else(|| Ok(FeedHead::default())),
        Err(error) => Err(error),
    };
    scripted.into_iter().map(head).collect()
}

/// The same by plain commands, without the numbers of unread entries.
pub(crate) async fn plain_heads(redis: &Commands, users: &[&UserId]) -> Vec<RedisResult<FeedHead>> {
    let mut commands = Vec::with_capacity(2 * users.len());
    for user in users {
        commands.push(command("HMGET", keys::feed_companion(user), &["epoch", "head"]));
        commands.push(command("LINDEX", keys::feed(user), &["0"]));
    }
    let mut answers = redis.each(commands).await.into_iter();
    let mut heads = Vec::with_capacity(users.len());
    while let (Some(companion), Some(newest)) = (answers.next(), answers.next()) {
        heads.push(plain_head(companion, newest));
    }
    heads
}

fn plain_head(companion: RedisResult<Value>, newest: RedisResult<Value>) -> RedisResult<FeedHead> {
    let newest: Option<Option<Vec<u8>>> = value(newest)?;
    let newest = newest.flatten().map(|element| mark(&element));
    Ok(FeedHead { position: head(companion)?, newest, unread: None })
}

fn command(name: &str, key: String, args: &[&str]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key).arg(args);
    command
}

/// Reads feeds of many users, in the order of `users`; each user's companion and list are read
/// atomically. `now` is the time since the Unix epoch. Errors as of [`heads`].
pub(crate) async fn feeds(
    redis: &Commands,
    users: &[&UserId],
    now: Duration,
) -> Vec<RedisResult<Feed>> {
    let now = text(now);
    let last = (FEED_ENTRIES_MAX - 1).to_string();
    let group = |user: &&UserId| {
        let companion = command("HMGET", keys::feed_companion(user), &["epoch", "head", "n"]);
        vec![companion, command("LRANGE", keys::feed(user), &["0", &last])]
    };
    // Not in the transaction, which a rejected script would abort. Whatever changes between the two
    // reads is a message that the user's sockets are sent afterwards.
    let (answers, scripted) = tokio::join!(
        redis.each_atomic(users.iter().map(group).collect()),
        scripted_heads(redis, users, &now),
    );
    let scripted = scripted.into_iter().map(|scripted| scripted.ok().flatten());
    let read = |(answers, scripted): (RedisResult<Vec<RedisResult<Value>>>, Option<FeedHead>)| {
        feed(answers?, scripted, &now)
    };
    answers.into_iter().zip(scripted).map(read).collect()
}

fn feed(
    answers: Vec<RedisResult<Value>>,
    scripted: Option<FeedHead>,
    now: &str,
) -> RedisResult<Feed> {
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
    let (companion, list) = (next(), next());
    let elements: Vec<Vec<u8>> = value(list)?.unwrap_or_default();
    let companion = head_and_length(companion)?;
    let is_intact = companion.as_ref().is_some_and(|(_, length)| *length <= elements.len());
    let entry = |element| entry(element, now);
    let mut entries: Vec<FeedEntry> = elements.into_iter().rev().filter_map(entry).collect();
    sort(&mut entries);
    let head = companion.map(|(head, _)| head);
    let scripted = scripted.filter(|scripted| scripted.position == head);
    let unread = scripted.and_then(|scripted| scripted.unread);
    Ok(Feed { head, is_intact, entries, unread })
}

/// The time since the Unix epoch as text.
fn text(now: Duration) -> String {
    rfc3339(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

/// Restores the order of `seq`, which only another service can have disturbed; the positions of
/// that service's own elements mean nothing then.
fn sort(entries: &mut Vec<FeedEntry>) {
    let seq = |entry: &FeedEntry| entry.ours.map(|ours| ours.seq);
    if !entries.iter().filter_map(seq).is_sorted() {
        entries.retain(|entry| entry.ours.is_some());
        entries.sort_by_key(seq);
    }
}

fn head(answer: RedisResult<Value>) -> RedisResult<Option<Position>> {
    type Companion = (Option<String>, Option<i64>);
    let companion: Option<Companion> = value(answer)?;
    Ok(match companion {
        Some((Some(epoch), Some(seq @ 0..))) => Some(Position { epoch: epoch.into(), seq }),
        _ => None,
    })
}

/// The head, and the list's length when Bellwire last wrote it.
fn head_and_length(answer: RedisResult<Value>) -> RedisResult<Option<(Position, usize)>> {
    type Companion = (Option<String>, Option<i64>, Option<usize>);
    let companion: Option<Companion> = value(answer)?;
    Ok(match companion {
        Some((Some(epoch), Some(seq @ 0..), length)) => {
            Some((Position { epoch: epoch.into(), seq }, length.unwrap_or(usize::MAX)))
        }
        _ => None,
    })
}

/// The value; `None` if the key has another type or holds an unexpected value.
fn value<T: FromRedisValue>(answer: RedisResult<Value>) -> RedisResult<Option<T>> {
    match answer {
        Ok(value) => Ok(from_redis_value(value).ok()),
        Err(error) if is_about_the_key(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Other errors (LOADING, MASTERDOWN, NOPERM) are not about the key.
fn is_about_the_key(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn entry(element: Vec<u8>, now: &str) -> Option<FeedEntry> {
    let element = String::from_utf8(element).ok()?;
    let ours = our_id_and_seq(&element);
    let ours = ours.and_then(|(id, seq)| Some(Ours { seq, created: created(id)? }));
    // An element that is not an object is skipped, as in the functions' answers.
    if ours.is_none() && object_text(element.as_bytes()).is_none() {
        return None;
    }
    let is_expired = || expiry_of(&element).is_some_and(|time| time <= now);
    let is_silent = ours.is_some() && (is_quiet(&element) || is_expired());
    Some(FeedEntry { ours, is_silent, notification: element.into() })
}

/// The time in a UUIDv7: its first 48 bits are milliseconds (RFC 9562 §5.7).
fn created(id: &str) -> Option<Duration> {
    let high = u64::from_str_radix(id.get(..8)?, 16).ok()?;
    let low = u64::from_str_radix(id.get(9..13)?, 16).ok()?;
    Some(Duration::from_millis(high << 16 | low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ours_apart_and_leaves_foreign_elements() {
        let ours = r#"{"id":"019a0000-0001-7000-8000-000000000000","userId":"a","seq":7,"t":1}"#;
        let entry = |text: &str| super::entry(text.as_bytes().to_vec(), "2026");
        let found = entry(ours).unwrap();
        assert_eq!(found.notification, ours);
        let created = Duration::from_millis(0x019a_0000_0001);
        assert_eq!((found.ours, found.is_silent), (Some(Ours { seq: 7, created }), false));
        for quiet in ["muted", "imported"] {
            let quiet = ours.replace("7,\"t\"", &format!("7,\"{quiet}\":true,\"t\""));
            assert!(entry(&quiet).unwrap().is_silent);
        }
        assert_eq!(entry(r#"{"userId":"a","seq":7}"#).unwrap().ours, None);
        assert_eq!(entry("[1]"), None);
        assert_eq!(entry("{"), None);
    }

    #[test]
    fn ours_are_in_order_even_if_another_service_moved_them() {
        let entry = |seq: Option<i64>| FeedEntry {
            ours: seq.map(|seq| Ours { seq, created: Duration::ZERO }),
            is_silent: false,
            notification: "".into(),
        };
        let seq = |entry: &FeedEntry| entry.ours.map(|ours| ours.seq);
        let seqs = |entries: &[FeedEntry]| entries.iter().map(seq).collect::<Vec<_>>();
        let mut entries = vec![entry(Some(1)), entry(None), entry(Some(2))];
        sort(&mut entries);
        assert_eq!(seqs(&entries), Vec::from([Some(1), None, Some(2)]));
        let mut entries = vec![entry(Some(2)), entry(None), entry(Some(1))];
        sort(&mut entries);
        assert_eq!(seqs(&entries), Vec::from([Some(1), Some(2)]));
    }
}
