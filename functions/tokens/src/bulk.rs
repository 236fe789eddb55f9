//! `PUT /tokens` and `POST /tokens/prune`: up to 1,000 at once, one statement and one call of
//! Redis.

use runtime::http::auth;
use runtime::push_tokens;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{PUSH_TOKENS_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::{PushToken, UserId};

/// Assigns tokens to users, in order, all or none. Answers `{"written":n}`: the users who then have
/// one of them.
///
/// # Errors
/// Request errors; `wrong_type`, `redis_unavailable` or `record_unavailable`, after which
/// the request can be repeated.
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
