//! `GET` and `DELETE /campaigns/{id}`.

use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::spin::clock;
use runtime::{App, Error, Request, Response};
use serde_json::json;
use shared::auth::Scope;
use shared::limits::{CAMPAIGN_TTL_S, ONCE_TTL_S};
use shared::time::rfc3339;
use shared::{CampaignId, keys, script};

/// Answers `{remaining,total,processed,responses,expiresAt}`.
///
/// # Errors
/// Request errors; `not_found`; `wrong_type`; `redis_unavailable`.
pub async fn progress(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CampaignsRead)?;
    request.query(&[])?;
    let ttl = [Arg::Int(CAMPAIGN_TTL_S)];
    let reply = app.redis.eval(&script::CAMPAIGN_PROGRESS, &keys_with_responses(id), &ttl).await?;
    let numbers: Vec<i64> = reply.iter().filter_map(Reply::int).collect();
    let [1, remaining, processed, responses, expires_at_ms] = numbers.as_slice() else {
        return match numbers.first() {
            Some(0) => Err(Error::not_found("this campaign")),
            _ => Err(malformed(&script::CAMPAIGN_PROGRESS).into()),
        };
    };
    let mut body = json!({
        "remaining": remaining,
        "total": remaining + processed,
        "processed": processed,
        "responses": responses,
    });
    // Negative for a list without an expiry, if Redis accepts no writes.
    if let (1.., Some(members)) = (*expires_at_ms, body.as_object_mut()) {
        members.insert("expiresAt".to_owned(), rfc3339(*expires_at_ms).into());
    }
    Ok(Response::json(200, body.to_string()).with("cache-control", "no-store"))
}

/// Removes the campaign and its responses, if they exist.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn delete(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CampaignsWrite)?;
    request.query(&[])?;
    let once = [Arg::Int(ONCE_TTL_S)];
    let mut keys = keys_with_responses(id);
    keys.push(once_key(id));
    keys.extend(keys::campaign_push(id).into_iter().skip(2));
    app.redis.eval(&script::CAMPAIGN_DELETE, &keys, &once).await?;
    Ok(Response::empty(204))
}

/// The keys of all campaign scripts.
pub fn keys_of(id: &CampaignId) -> Vec<String> {
    vec![keys::campaign(id), keys::campaign_companion(id)]
}

/// The same and the responses.
pub fn keys_with_responses(id: &CampaignId) -> Vec<String> {
    let mut keys = keys_of(id);
    keys.push(keys::campaign_responses(id));
    keys
}

/// A key for one request: a call is repeated if its connection breaks, and must not be executed
/// twice.
pub fn once_key(id: &CampaignId) -> String {
    keys::once(&keys::campaign(id), &clock::random_word())
}

/// The error for a reply that violates the script's contract.
pub fn malformed(script: &script::Script) -> RedisError {
    RedisError::Malformed(script.name)
}
