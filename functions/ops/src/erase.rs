//! `DELETE /users/{u}`: everything that is kept about a user.

use runtime::delivery::forget_all;
use runtime::record::Record;
use runtime::redis::{Arg, Redis};
use runtime::{App, Error, Request, Response, auth};
use shared::auth::Scope;
use shared::{UserId, keys};

/// Erases the user's entries, feed, push token and presence. Only the counter stays, so that numbers
/// which clients have seen are not given out again.
///
/// # Errors
/// Of the request; `redis_unavailable` or `record_unavailable`, after which it may be repeated.
pub async fn erase(app: &App, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    let at = app.record.erase(user).await?;
    forget_all(&app.redis, user, &at).await?;
    app.redis.command("DEL", &[Arg::Text(&keys::push_token(user))]).await?;
    app.redis.command("SREM", &[Arg::Text(keys::ONLINE_USERS), Arg::Text(user.as_str())]).await?;
    Ok(Response::empty(204))
}
