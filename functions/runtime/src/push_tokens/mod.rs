//! Push tokens, written to the record first and then to Redis. Every change may be repeated;
//! clients repeat a call that was answered 503.
//!
//! Writes to Redis carry the revision of the record's row, and the script rejects a revision older
//! than the stored one: otherwise two writes that overtake each other could leave the older token
//! in Redis for 270 days.

mod in_redis;

use std::collections::{BTreeMap, BTreeSet};

use shared::limits::DEVICES_MAX;
use shared::{Code, Error, PushToken, UserId};

use crate::log;
use crate::ports::redis::{Redis, RedisError};
use crate::ports::sql::Sql;
use crate::record::{Assignment, Pruned, Record};
use in_redis::{Change, Found, Verb, bring};

/// The user's token, or `None`: from Redis, where other services may have stored it, else from the
/// record.
///
/// # Errors
/// `wrong_type`; `record_unavailable` if Redis has no token either.
pub async fn read(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
) -> Result<Option<String>, Error> {
    let found = in_redis::read(redis, &[user]).await;
    if matches!(found.as_deref(), Ok([Found::OtherType])) {
        return Err(RedisError::WrongType.into());
    }
    Ok(completed(redis, record, &[user], found).await?.pop().flatten())
}

/// The tokens of these users, in their order, as [`read`] returns them, except that a key of
/// another type counts as no token in Redis. At most two calls of Redis and one statement.
///
/// # Errors
/// `record_unavailable` if Redis lacks a token.
pub async fn read_many(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    users: &[&UserId],
) -> Result<Vec<Option<String>>, Error> {
    let found = in_redis::read(redis, users).await;
    completed(redis, record, users, found).await
}

/// The tokens that Redis has for these users, in their order, among them those that other services
/// have stored. One call of Redis; the record is not asked.
///
/// # Errors
/// [`RedisError`].
pub async fn in_redis_alone(
    redis: &impl Redis,
    users: &[&UserId],
) -> Result<Vec<Option<String>>, RedisError> {
    let found = in_redis::read(redis, users).await?.into_iter();
    let tokens = found.map(|found| match found {
        Found::Token(token) => Some(token),
        Found::Absent | Found::Nothing | Found::OtherType => None,
    });
    Ok(tokens.collect())
}

/// The tokens that Redis has, with those of the record where it has none. They are refilled if Redis
/// can be reached.
async fn completed(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    users: &[&UserId],
    found: Result<Vec<Found>, RedisError>,
) -> Result<Vec<Option<String>>, Error> {
    let is_reachable = found.is_ok();
    let found = found.unwrap_or_else(|error| {
        log::warn("token_from_record", &[("error", &error.to_string())]);
        users.iter().map(|_| Found::Nothing).collect()
    });
    let is_open = |found: &Found| matches!(found, Found::Nothing | Found::OtherType);
    let open = users.iter().zip(&found).filter(|(_, found)| is_open(found));
    let open: Vec<&UserId> = open.map(|(user, _)| *user).collect();
    let mut recorded = Vec::new();
    if !open.is_empty() {
        recorded = record.tokens(&open).await?;
    }
    if is_reachable && !open.is_empty() {
        match in_redis::refill(redis, &open, &recorded).await {
            Ok(tokens) => {
                for (row, token) in recorded.iter_mut().zip(tokens) {
                    row.token = token.or(row.token.take());
                }
            }
            Err(error) => log::warn("token_refill_failed", &[("error", &error.to_string())]),
        }
    }
    let mut recorded = recorded.into_iter().map(|row| row.token);
    let tokens = found.into_iter().map(|found| match found {
        Found::Token(token) => Some(token),
        Found::Absent => None,
        Found::Nothing | Found::OtherType => recorded.next().flatten(),
    });
    Ok(tokens.collect())
}

/// Assigns tokens to users in the order of `wanted`, and returns how many users have one of them in
/// the end. The later assignment wins, both between two users of one token and between two tokens
/// of one user.
///
/// # Errors
/// `limit_exceeded` if a user would have too many devices; `record_unavailable`;
/// `redis_unavailable` or `wrong_type` if the tokens are in the record, but not in Redis.
pub async fn put(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    wanted: Vec<(UserId, PushToken)>,
    now_ms: i64,
) -> Result<usize, Error> {
    let assignments = one_by_one(wanted);
    if assignments.is_empty() {
        return Ok(0);
    }
    let written = record.put_tokens(&assignments, now_ms).await?;
    if written.is_empty() {
        let users: Vec<&UserId> = assignments.iter().map(|(user, _)| user).collect();
        return Err(too_many_devices(record.full_users(&users).await?.first()));
    }
    let wanted: BTreeMap<&UserId, Option<&PushToken>> =
        assignments.iter().map(|(user, token)| (user, token.as_ref())).collect();
    let mut changes = Vec::with_capacity(written.len());
    for row in &written {
        let token = wanted.get(&row.user).copied().flatten();
        let verb = token.map_or(Verb::Remove, Verb::Set);
        changes.push(Change { user: &row.user, rev: row.rev, verb });
        let Some(token) = token else { continue };
        for (user, rev) in row.losers.iter().filter(|(user, _)| !wanted.contains_key(user)) {
            changes.push(Change { user, rev: *rev, verb: Verb::Drop(token) });
        }
    }
    bring(redis, &changes).await?;
    Ok(assignments.iter().filter(|(_, token)| token.is_some()).count())
}

/// The error for a user who would have too many devices, or for one of several.
pub(crate) fn too_many_devices(user: Option<&UserId>) -> Error {
    let user = user.map_or_else(|| "a user".to_owned(), |user| format!("the user {user}"));
    let problem = format!("{user} has {DEVICES_MAX} devices, and more are not allowed");
    Error::new(Code::LimitExceeded, problem)
}

/// Removes a token from Redis where these users, with the revisions of their rows, have lost it to a
/// device.
///
/// # Errors
/// `redis_unavailable` or `wrong_type`.
pub(crate) async fn drop_lost(
    redis: &impl Redis,
    losers: &[(UserId, i64)],
    token: &PushToken,
) -> Result<(), Error> {
    if losers.is_empty() {
        return Ok(());
    }
    let changes =
        losers.iter().map(|(user, rev)| Change { user, rev: *rev, verb: Verb::Drop(token) });
    bring(redis, &changes.collect::<Vec<_>>()).await?;
    Ok(())
}

/// The assignments that hold after all of `wanted`, ordered by user. Each user and each token
/// appears once.
fn one_by_one(wanted: Vec<(UserId, PushToken)>) -> Vec<Assignment> {
    let mut owners: BTreeMap<PushToken, UserId> = BTreeMap::new();
    let mut tokens: BTreeMap<UserId, Option<PushToken>> = BTreeMap::new();
    for (user, token) in wanted {
        if let Some(before) = owners.insert(token.clone(), user.clone())
            && before != user
        {
            tokens.insert(before, None);
        }
        if let Some(Some(before)) = tokens.insert(user, Some(token.clone()))
            && before != token
        {
            owners.remove(&before);
        }
    }
    tokens.into_iter().collect()
}

/// Removes a user's token.
///
/// # Errors
/// `record_unavailable`; `redis_unavailable` or `wrong_type` if it is removed from the record, but
/// not from Redis.
pub async fn remove(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    now_ms: i64,
) -> Result<(), Error> {
    let rev = record.delete_token(user, now_ms).await?;
    bring(redis, &[Change { user, rev, verb: Verb::Remove }]).await?;
    Ok(())
}

/// As [`remove`], but deletes the user's Redis key even if it holds another type.
///
/// # Errors
/// `record_unavailable` or `redis_unavailable`.
pub async fn erase(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    now_ms: i64,
) -> Result<(), Error> {
    let rev = record.delete_token(user, now_ms).await?;
    bring(redis, &[Change { user, rev, verb: Verb::Erase }]).await?;
    Ok(())
}

/// Removes dead tokens from users that still have them in the record or in Redis, and returns the
/// number of those users.
///
/// # Errors
/// As [`put`].
pub async fn prune(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    dead: Vec<(UserId, PushToken)>,
    now_ms: i64,
) -> Result<usize, Error> {
    let dead: BTreeSet<(UserId, PushToken)> = dead.into_iter().collect();
    let dead: Vec<(UserId, PushToken)> = dead.into_iter().collect();
    if dead.is_empty() {
        return Ok(0);
    }
    let Pruned { current, tokenless } = record.prune_tokens(&dead, now_ms).await?;
    let changes: Vec<Change<'_>> = dead
        .iter()
        .map(|(user, token)| {
            let rev = current.get(user).or_else(|| tokenless.get(user)).copied().unwrap_or(0);
            Change { user, rev, verb: Verb::Drop(token) }
        })
        .collect();
    let outcomes = bring(redis, &changes).await?;
    let in_redis = changes.iter().zip(outcomes).filter(|(_, is_done)| *is_done);
    let mut users: BTreeSet<&UserId> = in_redis.map(|(change, _)| change.user).collect();
    users.extend(current.keys());
    Ok(users.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::json::Object;

    fn token(text: &str) -> PushToken {
        let body = serde_json::json!({"token": text}).to_string();
        PushToken::require(&mut Object::parse(body.as_bytes()).unwrap(), "token").unwrap()
    }

    /// Takes assignments such as `a=1 b=2` and returns the final ones in the same form.
    fn after(wanted: &str) -> String {
        let wanted = wanted.split(' ').map(|pair| {
            let (user, text) = pair.split_once('=').unwrap();
            (UserId::parse(user).unwrap(), token(text))
        });
        let after = one_by_one(wanted.collect()).into_iter();
        let after = after.map(|(user, token)| {
            format!("{user}={}", token.as_ref().map_or("-", PushToken::as_str))
        });
        after.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn later_assignments_win() {
        for (wanted, expected) in [
            ("b=2 a=1", "a=1 b=2"),
            ("a=1 a=1", "a=1"),
            ("a=1 a=2", "a=2"),
            ("a=1 b=1", "a=- b=1"),
            ("a=1 a=2 b=1", "a=2 b=1"),
            ("a=1 b=1 a=1", "a=1 b=-"),
            ("a=1 b=2 a=2 b=1", "a=2 b=1"),
        ] {
            assert_eq!(after(wanted), expected, "{wanted}");
        }
    }
}
