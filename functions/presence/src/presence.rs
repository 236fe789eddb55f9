//! `GET /presence/{u}`, `POST /presence` and `GET /presence`: one command each.

use std::collections::BTreeSet;

use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::{App, Error, Request, Response};
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{PRESENCE_USERS_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::{UserId, keys};

/// Answers `{"userId","online"}`.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn one(app: &App, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PresenceRead)?;
    request.query(&[])?;
    let args = [Arg::Text(keys::ONLINE_USERS), Arg::Text(user.as_str())];
    let is_online = first("SISMEMBER", &app.redis.command("SISMEMBER", &args).await?)? == 1;
    let body = format!("{{\"userId\":\"{user}\",\"online\":{is_online}}}");
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}

/// Takes `{"userIds":[…]}` and answers `{"online":{id:bool}}`, each id once.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn many(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PresenceRead)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let users: Vec<UserId> = user_ids(&body)?.into_iter().collect();
    if users.is_empty() {
        return Ok(Response::json(200, r#"{"online":{}}"#));
    }
    let mut args = vec![Arg::Text(keys::ONLINE_USERS)];
    args.extend(users.iter().map(|user| Arg::Text(user.as_str())));
    let reply = app.redis.command("SMISMEMBER", &args).await?;
    if reply.len() != users.len() {
        return Err(RedisError::Malformed("SMISMEMBER").into());
    }
    let pairs = users.iter().zip(&reply);
    // Ids contain no characters that need escapes.
    let pairs = pairs.map(|(user, is_online)| format!("\"{user}\":{}", is_online.int() == Some(1)));
    let pairs = pairs.collect::<Vec<_>>().join(",");
    Ok(Response::json(200, format!("{{\"online\":{{{pairs}}}}}")))
}

fn user_ids(body: &[u8]) -> Result<BTreeSet<UserId>, Error> {
    let mut object = Object::parse(body)?;
    let ids = object.user_ids("userIds", PRESENCE_USERS_MAX)?;
    object.finish()?;
    Ok(ids.into_iter().collect())
}

/// Answers `{"count":n}`.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn count(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PresenceRead)?;
    request.query(&[])?;
    let reply = app.redis.command("SCARD", &[Arg::Text(keys::ONLINE_USERS)]).await?;
    let body = format!("{{\"count\":{}}}", first("SCARD", &reply)?);
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}

fn first(command: &'static str, reply: &[Reply]) -> Result<i64, RedisError> {
    reply.first().and_then(Reply::int).ok_or(RedisError::Malformed(command))
}
