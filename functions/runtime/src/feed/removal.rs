//! Entries that leave the feed: a user's deletes and erases. The scripts keep an append that is still
//! under way from bringing them back.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::record::{Deleted, Revision};

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

/// Removes elements of other services with this id from the feed, and tells the user's sockets.
/// Returns whether there were any.
///
/// # Errors
/// [`RedisError`].
pub async fn remove_theirs(
    redis: &impl Redis,
    user: &UserId,
    id: &str,
    now_ms: i64,
) -> Result<bool, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let event =
        format!("{{\"type\":\"removed\",\"userId\":\"{user}\",\"ids\":[\"{id}\"],\"unread\":");
    let (now, channels) = (rfc3339(now_ms), redis.live().channels(keys::EVENTS_CHANNEL, user));
    let args = [
        Arg::Text(id),
        Arg::Int(FEED_ENTRIES_MAX as i64),
        Arg::Text(&now),
        Arg::Text(&channels),
        Arg::Text(&event),
    ];
    let reply = redis.eval(&script::FEED_REMOVE, &keys, &args).await?;
    let removed = reply.first().and_then(Reply::int);
    Ok(removed.ok_or(RedisError::Malformed(script::FEED_REMOVE.name))? > 0)
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
    let channels = redis.live().channels(keys::EVENTS_CHANNEL, user);
    let args = [
        Arg::Int(at.rev),
        Arg::Int(FEED_TTL_S as i64),
        Arg::Text(id),
        Arg::Text(&at.epoch),
        Arg::Int(seq),
        Arg::Int(FEED_ENTRIES_MAX as i64),
        Arg::Text(&now),
        Arg::Text(&channels),
        Arg::Text(event),
    ];
    redis.eval(&script::FEED_DELETE, &keys, &args).await.map(drop)
}
