//! `GET` and `PUT /users/{u}/preferences`.

use runtime::http::auth;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use shared::auth::Scope;
use shared::limits::REQUEST_BYTES_MAX;
use shared::{Preferences, UserId};

/// Answers what the user wants to receive; `{}` if nothing was ever said.
///
/// # Errors
/// Request errors; `record_unavailable`.
pub async fn read(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensRead)?;
    request.query(&[])?;
    let preferences = app.record.preferences(user).await?;
    Ok(Response::json(200, preferences.to_json()).with("cache-control", "no-store"))
}

/// Replaces what the user wants to receive.
///
/// # Errors
/// Request errors; `record_unavailable`, after which the request can be repeated.
pub async fn put(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let preferences = Preferences::parse(&body)?;
    app.record.put_preferences(user, &preferences, clock::now_ms()).await?;
    Ok(Response::empty(204))
}
