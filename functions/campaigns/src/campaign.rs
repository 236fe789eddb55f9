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
    let numbers = numbers_of(&*app.redis, id).await?;
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

/// The reply of `campaign_progress.lua`. On a cluster the responses are in another slot and take a
/// call of their own: their number may be some milliseconds older than the others.
async fn numbers_of(redis: &impl Redis, id: &CampaignId) -> Result<Vec<i64>, RedisError> {
    let (mut keys, mut args) = (keys_of(id), vec![Arg::Int(CAMPAIGN_TTL_S)]);
    let responses = keys::campaign_responses(id);
    if redis.is_cluster() {
        let reply = redis.eval(&script::CAMPAIGN_RESPONSES, &[responses], &args).await?;
        args.extend(reply.iter().filter_map(Reply::int).map(Arg::Int));
    } else {
        keys.push(responses);
    }
    let reply = redis.eval(&script::CAMPAIGN_PROGRESS, &keys, &args).await?;
    Ok(reply.iter().filter_map(Reply::int).collect())
}

/// Removes the campaign and its responses, if they exist.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn delete(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CampaignsWrite)?;
    request.query(&[])?;
    remove(&*app.redis, id, &clock::random_word()).await?;
    Ok(Response::empty(204))
}

/// On a cluster the responses are in another slot and take a call of their own, which comes last: a
/// campaign without users may have responses, but not the other way round.
async fn remove(redis: &impl Redis, id: &CampaignId, nonce: &str) -> Result<(), RedisError> {
    let once = [Arg::Int(ONCE_TTL_S)];
    let (campaign, responses) = (keys::campaign(id), keys::campaign_responses(id));
    let mut keys = keys_of(id);
    keys.push(keys::once(&campaign, nonce));
    keys.extend(keys::campaign_push(id).into_iter().skip(2));
    if !redis.is_cluster() {
        keys.push(responses);
        return redis.eval(&script::CAMPAIGN_DELETE, &keys, &once).await.map(drop);
    }
    redis.eval(&script::CAMPAIGN_DELETE, &keys, &once).await?;
    let once_of_responses = keys::once(&responses, nonce);
    let keys = [responses, once_of_responses];
    redis.eval(&script::CAMPAIGN_CLEAR, &keys, &once).await.map(drop)
}

/// The keys of all campaign scripts.
pub fn keys_of(id: &CampaignId) -> Vec<String> {
    vec![keys::campaign(id), keys::campaign_companion(id)]
}

/// A key for one request on a campaign's list, `of`, or its responses: a call is repeated if its
/// connection breaks, and must not be executed twice.
pub fn once_key(of: &str) -> String {
    keys::once(of, &clock::random_word())
}

/// The error for a reply that violates the script's contract.
pub fn malformed(script: &script::Script) -> RedisError {
    RedisError::Malformed(script.name)
}
