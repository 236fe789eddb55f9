//! `PUT /tokens`, `POST /tokens/prune` and `POST /tokens/read`: up to 1,000 at once, one statement
//! and a call or two of Redis.

use std::collections::BTreeSet;

use runtime::http::auth;
use runtime::push_tokens;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{PUSH_TOKENS_MAX, PUSH_TOKENS_READ_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::{PushToken, UserId};

/// Assigns tokens to users, in order, all or none. Answers `{"written":n}`: the users who then have
/// one of them.
///
/// # Errors
/// Request errors; `limit_exceeded`; `wrong_type`, `redis_unavailable` or `record_unavailable`,
/// after which the request can be repeated.
pub async fn put(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    let wanted = items(app, request).await?;
    let written = push_tokens::put(&app.redis, &app.record, wanted, clock::now_ms()).await?;
    Ok(Response::json(200, format!("{{\"written\":{written}}}")))
}

/// Removes dead tokens from users who still have them. Answers `{"deleted":n}`, the number of
/// users.
///
/// # Errors
/// As [`put`].
pub async fn prune(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    let dead = items(app, request).await?;
    let deleted = push_tokens::prune(&app.redis, &app.record, dead, clock::now_ms()).await?;
    Ok(Response::json(200, format!("{{\"deleted\":{deleted}}}")))
}

/// Takes `{"userIds":[…]}` and answers `{"tokens":{id: token or null}}`, each id once.
///
/// # Errors
/// Request errors; `record_unavailable` if Redis lacks a token.
pub async fn read(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::TokensRead)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let users = object.user_ids("userIds", PUSH_TOKENS_READ_MAX)?;
    object.finish()?;
    let users: BTreeSet<&UserId> = users.iter().collect();
    let users: Vec<&UserId> = users.into_iter().collect();
    let mut tokens = Vec::new();
    if !users.is_empty() {
        tokens = push_tokens::read_many(&app.redis, &app.record, &users).await?;
    }
    let ids = users.iter().map(|user| user.as_str().to_owned());
    let tokens: Map<String, Value> = ids.zip(tokens.into_iter().map(Value::from)).collect();
    let body = json!({ "tokens": tokens }).to_string();
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}

async fn items(app: &RecordApp, request: &Request) -> Result<Vec<(UserId, PushToken)>, Error> {
    auth::require(&*app.authenticate(request)?, Scope::TokensWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let items = object.require_array("tokens", PUSH_TOKENS_MAX)?;
    object.finish()?;
    items.into_iter().enumerate().map(|(at, item)| pair(item, at)).collect()
}

fn pair(item: &RawValue, at: usize) -> Result<(UserId, PushToken), Error> {
    let mut object = Object::parse_nested(item, &format!("tokens[{at}]"))?;
    let pair = (object.user_id("userId")?, PushToken::require(&mut object, "token")?);
    object.finish()?;
    Ok(pair)
}
