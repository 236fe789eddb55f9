//! Reads the heads of users' feeds with the number of unread entries: one script per user, a page of
//! users in a round trip.

use native::redis::Commands;
use redis::{ErrorKind, FromRedisValue as _, RedisError, RedisResult, ServerErrorKind, Value};
use shared::limits::FEED_ENTRIES_MAX;
use shared::script::FEED_UNREAD;
use shared::wire::{Position, Unread};
use shared::{UserId, keys};

use crate::redis::feed_reader::{FeedHead, mark};

/// Reads the heads of many users, in the order of `users`; `now` as RFC 3339. `None` for users whose
/// script Redis rejected, for whatever reason.
///
/// # Errors
/// Redis did not answer.
pub(super) async fn scripted_heads(
    redis: &Commands,
    users: &[&UserId],
    now: &str,
) -> RedisResult<Vec<Option<FeedHead>>> {
    let mut answers = run(redis, users, now, false).await?;
    if answers.iter().any(|answer| answer.as_ref().is_err_and(is_unknown_script)) {
        answers = run(redis, users, now, true).await?;
    }
    Ok(answers.into_iter().map(|answer| head(answer.ok()?)).collect())
}

/// With `is_first_sourced`, the first call brings the script's source, for a server that does not
/// know it; the other calls follow it on the same connection.
async fn run(
    redis: &Commands,
    users: &[&UserId],
    now: &str,
    is_first_sourced: bool,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut pipeline = redis::pipe();
    for (at, user) in users.iter().enumerate() {
        if at == 0 && is_first_sourced {
            pipeline.cmd("EVAL").arg(FEED_UNREAD.source);
        } else {
            pipeline.cmd("EVALSHA").arg(FEED_UNREAD.sha1());
        }
        pipeline.arg(2).arg(keys::feed(user)).arg(keys::feed_companion(user));
        pipeline.arg(FEED_ENTRIES_MAX).arg(now);
    }
    redis.query(pipeline.ignore_errors()).await
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn head(answer: Value) -> Option<FeedHead> {
    type Reply = (Option<String>, Option<String>, i64, String, Option<Vec<u8>>);
    let (epoch, seq, unread, until, newest) = Reply::from_redis_value(answer).ok()?;
    let position = match (epoch, seq.and_then(|seq| seq.parse().ok())) {
        (Some(epoch), Some(seq @ 0..)) => Some(Position { epoch: epoch.into(), seq }),
        _ => None,
    };
    let unread = u32::try_from(unread).ok().map(|count| Unread::new(count, &until));
    Some(FeedHead { position, newest: newest.as_deref().map(mark), unread })
}
