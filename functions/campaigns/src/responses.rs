//! `POST` and `GET /campaigns/{id}/responses`.

use runtime::http::auth;
use runtime::http::number;
use runtime::ports::redis::{Arg, Redis, Reply};
use runtime::{App, Code, Error, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::{Object, inspect, value_text};
use shared::limits::{
    CAMPAIGN_PAGE_DEFAULT, CAMPAIGN_PAGE_MAX, CAMPAIGN_RESPOND_MAX, CAMPAIGN_RESPONSE_BYTES_MAX,
    CAMPAIGN_RESPONSES_MAX, CAMPAIGN_TTL_S, DATA_DEPTH_MAX, ONCE_TTL_S, REQUEST_ARRAY_BYTES_MAX,
};
use shared::{CampaignId, keys, script};

use crate::campaign::{malformed, once_key};

/// Takes `{"responses":[…]}`, any JSON, and answers `{"accepted":n}`. Each is stored with the bytes
/// that were sent.
///
/// # Errors
/// Request errors; `limit_exceeded` if there would be too many; `wrong_type`;
/// `redis_unavailable`, after which the outcome is unknown.
pub async fn add(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CampaignsWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let responses = object.require_array("responses", CAMPAIGN_RESPOND_MAX)?;
    object.finish()?;
    for (at, response) in responses.iter().enumerate() {
        check(response, at)?;
    }

    let mut args =
        vec![Arg::Int(CAMPAIGN_TTL_S), Arg::Int(ONCE_TTL_S), Arg::Int(CAMPAIGN_RESPONSES_MAX)];
    args.extend(responses.iter().map(|response| Arg::Text(response.get())));
    let responses_key = keys::campaign_responses(id);
    let once = once_key(&responses_key);
    let keys = [responses_key, once];
    let reply = app.redis.eval(&script::CAMPAIGN_RESPOND, &keys, &args).await?;
    match reply.iter().filter_map(Reply::int).collect::<Vec<_>>().as_slice() {
        [-1, there] => {
            let most = CAMPAIGN_RESPONSES_MAX;
            let problem =
                format!("`responses` do not fit: there are {there}, at most {most} are allowed");
            Err(Error::field(Code::LimitExceeded, "responses", problem))
        }
        [_] => Ok(Response::json(200, format!("{{\"accepted\":{}}}", responses.len()))),
        _ => Err(malformed(&script::CAMPAIGN_RESPOND).into()),
    }
}

fn check(response: &RawValue, at: usize) -> Result<(), Error> {
    let name = format!("responses[{at}]");
    let (bytes, shape) = (response.get().len(), inspect(response.get()));
    let problem = if bytes > CAMPAIGN_RESPONSE_BYTES_MAX {
        format!("has {bytes} bytes, at most {CAMPAIGN_RESPONSE_BYTES_MAX} are allowed")
    } else if shape.depth > DATA_DEPTH_MAX {
        format!("is nested {} deep, at most {DATA_DEPTH_MAX} are allowed", shape.depth)
    } else if shape.has_nul {
        return Err(Error::field(Code::InvalidField, &name, format!("`{name}` contains U+0000")));
    } else {
        return Ok(());
    };
    Err(Error::field(Code::LimitExceeded, &name, format!("`{name}` {problem}")))
}

/// Answers `{"items":[…],"next":cursor|null}`, oldest first. Elements that are not JSON are
/// omitted. A cursor is an index into the list: another service that removes responses from the
/// front shifts the others.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn page(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CampaignsRead)?;
    let (mut limit, mut offset) = (CAMPAIGN_PAGE_DEFAULT, 0);
    for (name, value) in request.query(&["limit", "cursor"])? {
        match name.as_str() {
            "limit" => limit = number(&name, &value, 1..=CAMPAIGN_PAGE_MAX)?,
            // Other services may push more than the limit.
            _ => offset = number(&name, &value, 0..=i64::from(u32::MAX))?,
        }
    }
    let args = [Arg::Int(CAMPAIGN_TTL_S), Arg::Int(offset), Arg::Int(limit)];
    let keys = [keys::campaign_responses(id)];
    let reply = app.redis.eval(&script::CAMPAIGN_PAGE, &keys, &args).await?;
    let [length, elements @ ..] = reply.as_slice() else {
        return Err(malformed(&script::CAMPAIGN_PAGE).into());
    };
    let length = length.int().ok_or_else(|| malformed(&script::CAMPAIGN_PAGE))?;
    let items = elements.iter().filter_map(|element| value_text(element.bytes()?));
    let items = items.collect::<Vec<_>>().join(",");
    let end = offset + limit;
    let next = if end < length { format!("\"{end}\"") } else { "null".to_owned() };
    let body = format!("{{\"items\":[{items}],\"next\":{next}}}");
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}
