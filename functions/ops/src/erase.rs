//! `DELETE /users/{u}`: erases everything stored about a user.

use runtime::feed::removal::forget_all;
use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError};
use runtime::push_tokens;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use shared::auth::Scope;
use shared::limits::IDEMPOTENCY_MS;
use shared::{UserId, keys};

/// Erases the user's entries, feed, devices, preferences and presence. Only counters are kept, so
/// that numbers known to clients are not assigned again, and the digests of idempotency keys until
/// they expire.
///
/// # Errors
/// Request errors; `redis_unavailable` or `record_unavailable`, after which the request can
/// be repeated.
pub async fn erase(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    request.query(&[])?;
    let now_ms = clock::now_ms();
    let at = app.record.erase(user, now_ms - IDEMPOTENCY_MS).await?;
    let redis = &app.redis;
    // The key of the user's feed is deleted even if it is not a feed.
    let mut forgotten = forget_all(redis, user, &at, now_ms).await;
    if forgotten == Err(RedisError::WrongType) {
        redis.command("DEL", &[Arg::Text(&keys::feed(user))]).await?;
        redis.command("DEL", &[Arg::Text(&keys::feed_companion(user))]).await?;
        forgotten = forget_all(redis, user, &at, now_ms).await;
    }
    forgotten?;
    app.record.erase_devices(user).await?;
    push_tokens::erase(redis, &app.record, user, now_ms).await?;
    let presence = [Arg::Text(keys::ONLINE_USERS), Arg::Text(user.as_str())];
    match redis.command("SREM", &presence).await {
        // A key of another type contains no user.
        Ok(_) | Err(RedisError::WrongType) => Ok(Response::empty(204)),
        Err(error) => Err(error.into()),
    }
}
