//! `GET`, `PUT` and `DELETE /users/{u}/token`.

use runtime::http::auth;
use runtime::push_tokens;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use serde_json::json;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::REQUEST_BYTES_MAX;
use shared::{PushToken, UserId};

/// Answers `{"userId","token"}`.
///
/// # Errors
/// Request errors; `not_found`; `wrong_type`; `record_unavailable` if Redis lacks the token.
pub async fn read(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensRead)?;
    request.query(&[])?;
    let token = push_tokens::read(&app.redis, &app.record, user).await?;
    let token = token.ok_or_else(|| Error::not_found("a token of this user"))?;
    let body = json!({"userId": user.as_str(), "token": token}).to_string();
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}

/// Takes `{"token"}`; the token's previous owner loses it.
///
/// # Errors
/// Request errors; `limit_exceeded`; `wrong_type`, `redis_unavailable` or `record_unavailable`,
/// after which the request can be repeated.
pub async fn put(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let token = PushToken::require(&mut object, "token")?;
    object.finish()?;
    let wanted = vec![(user.clone(), token)];
    push_tokens::put(&app.redis, &app.record, wanted, clock::now_ms()).await?;
    Ok(Response::empty(204))
}

/// Removes the token, if there is one.
///
/// # Errors
/// As [`put`].
pub async fn delete(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensWrite)?;
    request.query(&[])?;
    push_tokens::remove(&app.redis, &app.record, user, clock::now_ms()).await?;
    Ok(Response::empty(204))
}
