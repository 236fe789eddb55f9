//! The calls of Redis: reading many users' tokens, refilling them, and writing changes.

use shared::limits::{PUSH_TOKEN_ABSENT_S, PUSH_TOKEN_FENCE_S, PUSH_TOKEN_TTL_S};
use shared::{PushToken, UserId, keys, script};

use crate::many_users::ManyUsers;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::record::TokenRow;

/// What Redis knows of a user's token.
pub(super) enum Found {
    Token(String),
    /// A marker says that the record has no token either.
    Absent,
    /// Neither a token nor a marker.
    Nothing,
    /// The key is not a string.
    OtherType,
}

/// What Redis knows of these users' tokens, in their order.
pub(super) async fn read(redis: &impl Redis, users: &[&UserId]) -> Result<Vec<Found>, RedisError> {
    let call = ManyUsers {
        script: &script::TOKEN_READ,
        keys: keys_of(users),
        fixed: vec![Arg::Int(PUSH_TOKEN_TTL_S)],
        each: Vec::new(),
        replies_each: 2,
    };
    let replies = call.run_all(redis).await?;
    // Bytes that are not text cannot be a token.
    let token = |reply: &Reply| reply.text().filter(|token| !token.is_empty()).map(str::to_owned);
    let found = replies.iter().map(|pair| match (pair.first().and_then(Reply::int), pair.get(1)) {
        (Some(-1), _) => Found::OtherType,
        (Some(state), text) => match text.and_then(token) {
            Some(token) => Found::Token(token),
            None if state == 1 => Found::Absent,
            None => Found::Nothing,
        },
        (None, _) => Found::Nothing,
    });
    Ok(found.collect())
}

/// Writes the record's rows to Redis, except where Redis has newer ones; returns the tokens that
/// Redis then has.
pub(super) async fn refill(
    redis: &impl Redis,
    users: &[&UserId],
    rows: &[TokenRow],
) -> Result<Vec<Option<String>>, RedisError> {
    let call = ManyUsers {
        script: &script::TOKEN_REFILL,
        keys: keys_of(users),
        fixed: lifetimes(),
        each: rows.iter().flat_map(args_of).collect(),
        replies_each: 1,
    };
    let reply = call.run_all(redis).await?.concat();
    let tokens = reply.iter().map(|token| token.text().filter(|token| !token.is_empty()));
    Ok(tokens.map(|token| token.map(str::to_owned)).collect())
}

fn args_of(row: &TokenRow) -> [Arg<'_>; 2] {
    [Arg::Int(row.rev), Arg::Text(row.token.as_deref().unwrap_or_default())]
}

/// A change of a user's token that is committed in the record and not yet in Redis.
pub(super) struct Change<'a> {
    pub(super) user: &'a UserId,
    pub(super) rev: i64,
    pub(super) verb: Verb<'a>,
}

/// The operation of `token_write.lua`; its header explains each.
#[derive(Clone, Copy)]
pub(super) enum Verb<'a> {
    Set(&'a PushToken),
    Drop(&'a PushToken),
    Remove,
    Erase,
}

/// Applies the changes, and returns for each whether Redis applied it.
pub(super) async fn bring(
    redis: &impl Redis,
    changes: &[Change<'_>],
) -> Result<Vec<bool>, RedisError> {
    let users: Vec<&UserId> = changes.iter().map(|change| change.user).collect();
    let mut each = Vec::with_capacity(3 * changes.len());
    for change in changes {
        let (verb, token) = match change.verb {
            Verb::Set(token) => ("set", token.as_str()),
            Verb::Drop(token) => ("drop", token.as_str()),
            Verb::Remove => ("remove", ""),
            Verb::Erase => ("erase", ""),
        };
        each.extend([Arg::Text(verb), Arg::Int(change.rev), Arg::Text(token)]);
    }
    let (keys, fixed) = (keys_of(&users), lifetimes());
    let call = ManyUsers { script: &script::TOKEN_WRITE, keys, fixed, each, replies_each: 1 };
    let reply = call.run_all(redis).await?.concat();
    let outcomes: Vec<i64> = reply.iter().filter_map(Reply::int).collect();
    if outcomes.len() != changes.len() {
        return Err(RedisError::Malformed(script::TOKEN_WRITE.name));
    }
    if outcomes.contains(&-1) {
        return Err(RedisError::WrongType);
    }
    Ok(outcomes.into_iter().map(|outcome| outcome == 1).collect())
}

/// Token and companion of each user.
fn keys_of(users: &[&UserId]) -> Vec<[String; 2]> {
    let pair = |user: &&UserId| [keys::push_token(user), keys::push_token_companion(user)];
    users.iter().map(pair).collect()
}

/// The first arguments of the scripts that write.
fn lifetimes<'a>() -> Vec<Arg<'a>> {
    vec![Arg::Int(PUSH_TOKEN_TTL_S), Arg::Int(PUSH_TOKEN_FENCE_S), Arg::Int(PUSH_TOKEN_ABSENT_S)]
}
