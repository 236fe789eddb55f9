//! Reads the heads of users' feeds with the number of unread entries: one script per user, a page of
//! users in a round trip.

use native::redis::{Commands, is_away};
use redis::{FromRedisValue as _, RedisResult, Value};
use shared::limits::FEED_ENTRIES_MAX;
use shared::script::FEED_UNREAD;
use shared::wire::{Position, Unread};
use shared::{UserId, keys};

use crate::redis::feed_reader::{FeedHead, mark};

/// Reads the heads of many users, in the order of `users`; `now` as RFC 3339. `None` for users whose
/// script Redis rejected, for whatever reason; an error for those whose server did not answer.
pub(super) async fn scripted_heads(
    redis: &Commands,
    users: &[&UserId],
    now: &str,
) -> Vec<RedisResult<Option<FeedHead>>> {
    let call = |user: &&UserId| {
        let mut call = redis::cmd("EVALSHA");
        call.arg(FEED_UNREAD.sha1());
        call.arg(2).arg(keys::feed(user)).arg(keys::feed_companion(user));
        call.arg(FEED_ENTRIES_MAX).arg(now);
        call
    };
    let answers = redis.each_call(&FEED_UNREAD, users.iter().map(call).collect()).await;
    answers.into_iter().map(scripted).collect()
}

fn scripted(answer: RedisResult<Value>) -> RedisResult<Option<FeedHead>> {
    match answer {
        Ok(answer) => Ok(head(answer)),
        Err(error) if is_away(&error) || error.is_cluster_error() => Err(error),
        Err(_) => Ok(None),
    }
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
