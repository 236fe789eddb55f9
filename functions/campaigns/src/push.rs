//! `/campaigns/{id}/push`: starts and steers the sending of pushes to a campaign's users, which the
//! worker does. No push is sent here.

use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::spin::clock;
use runtime::{App, Error, Request, Response};
use shared::auth::Scope;
use shared::campaign_push::progress::Progress;
use shared::campaign_push::{Options, State};
use shared::limits::{
    CAMPAIGN_DEAD_MAX, CAMPAIGN_REDRIVE_MAX, CAMPAIGN_TTL_S, CAMPAIGNS_PUSHING_MAX,
    REQUEST_BYTES_MAX,
};
use shared::script::Script;
use shared::{CampaignId, keys, script};

use crate::campaign::malformed;

/// Starts a campaign's push, or changes its options, and answers 202 with its progress.
///
/// # Errors
/// Request errors; `not_found` without such a campaign; `wrong_type`; `redis_unavailable`, after
/// which the request can be repeated.
pub async fn put(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let options = Options::parse(&body, clock::now_ms())?;
    let json = options.to_json();
    let args = [
        Arg::Int(CAMPAIGN_TTL_S),
        Arg::Text(&json),
        Arg::Int(options.rate),
        Arg::Int(options.start_at_ms),
    ];
    let progress = progress_of(app, &script::PUSH_START, id, &args).await?;
    if progress.state == State::None {
        return Err(Error::not_found("this campaign"));
    }
    index(app, id, progress.state).await?;
    Ok(Response::json(202, progress.to_json()))
}

/// Answers the progress of a campaign's push.
///
/// # Errors
/// Request errors; `not_found`; `wrong_type`; `redis_unavailable`.
pub async fn get(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushRead)?;
    request.query(&[])?;
    let args = [Arg::Int(CAMPAIGN_TTL_S)];
    let progress = progress_of(app, &script::PUSH_PROGRESS, id, &args).await?;
    if progress.state == State::None {
        return Err(Error::not_found("a push of this campaign"));
    }
    Ok(Response::json(200, progress.to_json()).with("cache-control", "no-store"))
}

/// Pauses, resumes or cancels; the action is the last part of the path.
///
/// # Errors
/// Request errors; `not_found` unless there is a push that is not done or cancelled; `wrong_type`;
/// `redis_unavailable`, after which the request can be repeated.
pub async fn control(
    app: &App,
    request: &Request,
    id: &CampaignId,
    action: &str,
) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushWrite)?;
    request.no_body().await?;
    request.query(&[])?;
    let args = [Arg::Int(CAMPAIGN_TTL_S), Arg::Text(action)];
    let reply = app.redis.eval(&script::PUSH_CONTROL, &keys::campaign_push(id), &args).await?;
    let [state, done] = reply.as_slice() else {
        return Err(malformed(&script::PUSH_CONTROL).into());
    };
    let state = state.text().and_then(State::parse);
    let state = state.ok_or_else(|| malformed(&script::PUSH_CONTROL))?;
    match (state, done.int()) {
        (State::None, _) => Err(Error::not_found("a push of this campaign")),
        (state, Some(0)) => {
            let state = state.as_str();
            Err(Error::not_found(&format!("a push under way (this one is {state})")))
        }
        _ => {
            index(app, id, state).await?;
            Ok(Response::empty(204))
        }
    }
}

/// Puts all dead letters back, to be attempted at once, and answers `{"redriven":n}`.
///
/// # Errors
/// Request errors; `not_found` without a push, or if it was cancelled; `wrong_type`;
/// `redis_unavailable`, after which the request can be repeated.
pub async fn redrive(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushWrite)?;
    request.no_body().await?;
    request.query(&[])?;
    let args = [Arg::Int(CAMPAIGN_TTL_S), Arg::Int(CAMPAIGN_REDRIVE_MAX)];
    let mut redriven = 0;
    for _ in 0..=CAMPAIGN_DEAD_MAX / CAMPAIGN_REDRIVE_MAX {
        let reply = app.redis.eval(&script::PUSH_REDRIVE, &keys::campaign_push(id), &args).await?;
        let numbers: Vec<i64> = reply.iter().filter_map(Reply::int).collect();
        let [count, left] = numbers.as_slice() else {
            return Err(malformed(&script::PUSH_REDRIVE).into());
        };
        if *count < 0 {
            return Err(Error::not_found("a push of this campaign that was not cancelled"));
        }
        // At once: a push that was done runs again.
        if *count > 0 {
            index(app, id, State::Running).await?;
        }
        redriven += count;
        if *left == 0 {
            break;
        }
    }
    Ok(Response::json(200, format!("{{\"redriven\":{redriven}}}")))
}

async fn progress_of(
    app: &App,
    script: &'static Script,
    id: &CampaignId,
    args: &[Arg<'_>],
) -> Result<Progress, RedisError> {
    let reply = app.redis.eval(script, &keys::campaign_push(id), args).await?;
    let parts: Option<Vec<Vec<u8>>> =
        reply.iter().map(|part| part.bytes().map(<[u8]>::to_vec)).collect();
    parts.and_then(|parts| Progress::parse(&parts)).ok_or(malformed(script))
}

/// Tells the workers of a campaign that is under way. After the change, so that no worker finds
/// nothing to do and removes it; if it fails, the caller repeats the request.
async fn index(app: &App, id: &CampaignId, state: State) -> Result<(), RedisError> {
    if !matches!(state, State::Scheduled | State::Running) {
        return Ok(());
    }
    let id = id.to_string();
    let args =
        [Arg::Text(&id), Arg::Int(CAMPAIGN_TTL_S), Arg::Int(CAMPAIGNS_PUSHING_MAX), Arg::Text("")];
    app.redis.eval(&script::PUSH_TOUCH, &[keys::PUSHING.to_owned()], &args).await.map(drop)
}
