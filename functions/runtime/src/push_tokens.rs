//! Push tokens, written to the record first and then to Redis. Every change may be repeated;
//! clients repeat a call that was answered 503.
//!
//! Writes to Redis carry the revision of the record's row, and the script rejects a revision older
//! than the stored one: otherwise two writes that overtake each other could leave the older token
//! in Redis for 270 days.

use std::collections::{BTreeMap, BTreeSet};

use shared::limits::{PUSH_TOKEN_ABSENT_S, PUSH_TOKEN_FENCE_S, PUSH_TOKEN_TTL_S};
use shared::{Error, PushToken, UserId, keys, script};

use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::ports::sql::Sql;
use crate::record::{Assignment, Pruned, Record, TokenRow};

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
    match in_redis(redis, user).await {
        Ok(InRedis::Token(token)) => return Ok(Some(token)),
        Ok(InRedis::Absent) => return Ok(None),
        Ok(InRedis::Unknown) => {}
        Err(RedisError::WrongType) => return Err(RedisError::WrongType.into()),
        Err(error) => {
            log::warn("token_from_record", &[("error", &error.to_string())]);
            return Ok(record.token(user).await?.token);
        }
    }
    let row = record.token(user).await?;
    match refill(redis, user, &row).await {
        Ok(Some(token)) => Ok(Some(token)),
        Ok(None) => Ok(row.token),
        Err(error) => {
            log::warn("token_refill_failed", &[("error", &error.to_string())]);
            Ok(row.token)
        }
    }
}

enum InRedis {
    Token(String),
    /// A marker says that the record has no token either.
    Absent,
    /// Neither a token nor a marker.
    Unknown,
}

async fn in_redis(redis: &impl Redis, user: &UserId) -> Result<InRedis, RedisError> {
    let keys = [keys::push_token(user), keys::push_token_companion(user)];
    let reply = redis.eval(&script::TOKEN_READ, &keys, &[Arg::Int(PUSH_TOKEN_TTL_S)]).await?;
    let [is_absent, token] = reply.as_slice() else {
        return Err(RedisError::Malformed(script::TOKEN_READ.name));
    };
    // Bytes that are not text cannot be a token.
    Ok(match (token.text().filter(|token| !token.is_empty()), is_absent.int()) {
        (Some(token), _) => InRedis::Token(token.to_owned()),
        (None, Some(1)) => InRedis::Absent,
        (None, _) => InRedis::Unknown,
    })
}

/// Writes the record's row to Redis unless Redis has a newer one; returns the token that Redis then
/// has.
async fn refill(
    redis: &impl Redis,
    user: &UserId,
    row: &TokenRow,
) -> Result<Option<String>, RedisError> {
    let keys = [keys::push_token(user), keys::push_token_companion(user)];
    let args = [
        Arg::Int(PUSH_TOKEN_TTL_S),
        Arg::Int(PUSH_TOKEN_FENCE_S),
        Arg::Int(PUSH_TOKEN_ABSENT_S),
        Arg::Int(row.rev),
        Arg::Text(row.token.as_deref().unwrap_or_default()),
    ];
    let reply = redis.eval(&script::TOKEN_REFILL, &keys, &args).await?;
    let token = reply.first().and_then(Reply::text).filter(|token| !token.is_empty());
    Ok(token.map(str::to_owned))
}

/// Assigns tokens to users in the order of `wanted`, and returns how many users have one of them in
/// the end. The later assignment wins, both between two users of one token and between two tokens
/// of one user.
///
/// # Errors
/// `record_unavailable`; `redis_unavailable` or `wrong_type` if the tokens are in the record, but
/// not in Redis.
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

/// A change of a user's token that is committed in the record and not yet in Redis.
struct Change<'a> {
    user: &'a UserId,
    rev: i64,
    verb: Verb<'a>,
}

/// The operation of `token_write.lua`; its header explains each.
#[derive(Clone, Copy)]
enum Verb<'a> {
    Set(&'a PushToken),
    Drop(&'a PushToken),
    Remove,
    Erase,
}

/// Applies the changes in one call, and returns for each whether Redis applied it.
async fn bring(redis: &impl Redis, changes: &[Change<'_>]) -> Result<Vec<bool>, RedisError> {
    let mut keys = Vec::with_capacity(2 * changes.len());
    let mut args = vec![
        Arg::Int(PUSH_TOKEN_TTL_S),
        Arg::Int(PUSH_TOKEN_FENCE_S),
        Arg::Int(PUSH_TOKEN_ABSENT_S),
    ];
    for change in changes {
        keys.push(keys::push_token(change.user));
        keys.push(keys::push_token_companion(change.user));
        let (verb, token) = match change.verb {
            Verb::Set(token) => ("set", token.as_str()),
            Verb::Drop(token) => ("drop", token.as_str()),
            Verb::Remove => ("remove", ""),
            Verb::Erase => ("erase", ""),
        };
        args.extend([Arg::Text(verb), Arg::Int(change.rev), Arg::Text(token)]);
    }
    let reply = redis.eval(&script::TOKEN_WRITE, &keys, &args).await?;
    let outcomes: Vec<i64> = reply.iter().filter_map(Reply::int).collect();
    if outcomes.len() != changes.len() {
        return Err(RedisError::Malformed(script::TOKEN_WRITE.name));
    }
    if outcomes.contains(&-1) {
        return Err(RedisError::WrongType);
    }
    Ok(outcomes.into_iter().map(|outcome| outcome == 1).collect())
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
