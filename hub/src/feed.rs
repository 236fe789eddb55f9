//! Reads of users' feeds: the companion's head, and the entries of the list. Pages of users share
//! a round trip; one user's odd key (another type) never fails the others.

use std::time::Duration;

use redis::{FromRedisValue, RedisError, RedisResult, Value, from_redis_value};
use shared::limits::FEED_ENTRIES_MAX;
use shared::notification::{expiry_of, our_id_and_seq};
use shared::time::rfc3339;
use shared::wire::Position;
use shared::{UserId, keys};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::commands::Commands;

/// One of our entries of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub seq: i64,
    /// From its UUIDv7: time since the Unix epoch.
    pub created: Duration,
    /// Whether it was past its `expiresAt` when it was read: it counts, and is not shown.
    pub is_expired: bool,
    /// The bytes of the element, which are also the bytes that were published.
    pub notification: Utf8Bytes,
}

/// A feed as far as the hub needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// `None` where there is no feed.
    pub head: Option<Position>,
    /// Ours, oldest first.
    pub entries: Vec<Entry>,
}

/// Epochs and heads of many users, in their order.
///
/// # Errors
/// Redis did not answer, or not with answers.
pub async fn heads(redis: &Commands, users: &[&UserId]) -> RedisResult<Vec<Option<Position>>> {
    let mut pipeline = redis::pipe();
    for user in users {
        pipeline.cmd("HMGET").arg(keys::feed_companion(user)).arg(&["epoch", "head"]);
    }
    let answers: Vec<RedisResult<Value>> = redis.query(pipeline.ignore_errors()).await?;
    answers.into_iter().map(head).collect()
}

/// Feeds of many users, in their order; companion and list of a user are of one moment. `now` is the
/// time since the Unix epoch.
///
/// # Errors
/// Redis did not answer, or not with answers.
pub async fn feeds(redis: &Commands, users: &[&UserId], now: Duration) -> RedisResult<Vec<Feed>> {
    let now = rfc3339(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let mut pipeline = redis::pipe();
    pipeline.atomic();
    for user in users {
        pipeline.cmd("HMGET").arg(keys::feed_companion(user)).arg(&["epoch", "head"]);
        pipeline.cmd("LRANGE").arg(keys::feed(user)).arg(0).arg(FEED_ENTRIES_MAX - 1);
    }
    let answers: Vec<RedisResult<Value>> = redis.query(pipeline.ignore_errors()).await?;
    let mut answers = answers.into_iter();
    let mut feeds = Vec::with_capacity(users.len());
    while let (Some(companion), Some(list)) = (answers.next(), answers.next()) {
        let elements: Vec<Vec<u8>> = value(list)?.unwrap_or_default();
        let entry = |element| entry(element, &now);
        let mut entries: Vec<Entry> = elements.into_iter().rev().filter_map(entry).collect();
        // They are in order unless another service has moved them.
        entries.sort_by_key(|entry| entry.seq);
        feeds.push(Feed { head: head(companion)?, entries });
    }
    Ok(feeds)
}

fn head(answer: RedisResult<Value>) -> RedisResult<Option<Position>> {
    type Companion = (Option<String>, Option<i64>);
    let companion: Option<Companion> = value(answer)?;
    Ok(match companion {
        Some((Some(epoch), Some(seq))) => Some(Position { epoch, seq }),
        _ => None,
    })
}

/// A value; `None` where the key is of another type or holds something else than expected.
fn value<T: FromRedisValue>(answer: RedisResult<Value>) -> RedisResult<Option<T>> {
    match answer {
        Ok(value) => Ok(from_redis_value(value).ok()),
        Err(error) if is_about_the_key(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Other errors (LOADING, MASTERDOWN, NOPERM) say nothing about the key.
fn is_about_the_key(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn entry(element: Vec<u8>, now: &str) -> Option<Entry> {
    let element = String::from_utf8(element).ok()?;
    let (id, seq) = our_id_and_seq(&element)?;
    let created = created(id)?;
    let is_expired = expiry_of(&element).is_some_and(|time| time <= now);
    Some(Entry { seq, created, is_expired, notification: element.into() })
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
        let entry = entry(ours.into(), "2026").unwrap();
        assert_eq!((entry.seq, entry.notification.as_str()), (7, ours));
        assert_eq!(entry.created, Duration::from_millis(0x019a_0000_0001));
        assert_eq!(super::entry(br#"{"userId":"a","seq":7}"#.to_vec(), "2026"), None);
    }
}
