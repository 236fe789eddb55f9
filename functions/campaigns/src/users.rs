//! `PUT` and `POST /campaigns/{id}/users`, `POST /campaigns/{id}/next`.

use runtime::http::auth;
use runtime::http::idempotency;
use runtime::http::number;
use runtime::ports::redis::{Arg, Redis, Reply};
use runtime::{App, Code, Error, Request, Response};
use shared::auth::Scope;
use shared::campaign::Recipient;
use shared::json::{Object, object_text};
use shared::limits::{
    CAMPAIGN_ADD_MAX, CAMPAIGN_KEYS_MAX, CAMPAIGN_NEXT_MAX, CAMPAIGN_TTL_S, CAMPAIGN_USERS_MAX,
    ONCE_TTL_S, REQUEST_ARRAY_BYTES_MAX,
};
use shared::{CampaignId, digest, keys, script};

use crate::campaign::{keys_of, malformed, once_key};
use crate::tokens;

/// What to do with the users already in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Append,
    Replace,
}

impl Mode {
    fn as_str(self) -> &'static str {
        match self {
            Mode::Append => "append",
            Mode::Replace => "replace",
        }
    }
}

/// Takes `{"users":[…]}` and answers `{"remaining":n}`. With an idempotency key that the campaign
/// knows, nothing is added.
///
/// # Errors
/// Request errors; `limit_exceeded` for a campaign that would grow too large;
/// `idempotency_mismatch`; `wrong_type`; `redis_unavailable`, after which the outcome is unknown,
/// and a call with a key can be repeated.
pub async fn add(
    app: &App,
    request: &Request,
    id: &CampaignId,
    mode: Mode,
) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require(&claims, Scope::CampaignsWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let key = idempotency::key_of(request)?;
    let mut object = Object::parse(&body)?;
    let items = object.require_array("users", CAMPAIGN_ADD_MAX)?;
    object.finish()?;
    let elements = items.into_iter().enumerate().map(|(at, item)| {
        Recipient::parse(item, &format!("users[{at}]")).map(|recipient| recipient.to_json())
    });
    let elements: Vec<String> = elements.collect::<Result<_, Error>>()?;

    let (key, digest) = match key {
        Some(key) => (key_digest(&claims.sub, &key), elements_digest(mode, &elements)),
        None => (String::new(), String::new()),
    };
    let mut args = vec![
        Arg::Int(CAMPAIGN_TTL_S),
        Arg::Int(ONCE_TTL_S),
        Arg::Text(mode.as_str()),
        Arg::Int(CAMPAIGN_USERS_MAX),
        Arg::Int(CAMPAIGN_KEYS_MAX),
        Arg::Text(&key),
        Arg::Text(&digest),
    ];
    args.extend(elements.iter().map(|element| Arg::Text(element)));
    let mut all = keys_of(id);
    all.push(once_key(&keys::campaign(id)));
    let reply = app.redis.eval(&script::CAMPAIGN_ADD, &all, &args).await?;
    match reply.iter().filter_map(Reply::int).collect::<Vec<_>>().as_slice() {
        [remaining] => Ok(Response::json(200, format!("{{\"remaining\":{remaining}}}"))),
        [refusal, waiting] => Err(refused(*refusal, *waiting)),
        _ => Err(malformed(&script::CAMPAIGN_ADD).into()),
    }
}

/// What a negative reply means; `waiting` users are in the list.
fn refused(reply: i64, waiting: i64) -> Error {
    match reply {
        -1 => {
            let most = CAMPAIGN_USERS_MAX;
            let problem = format!("do not fit: {waiting} are waiting, at most {most} are allowed");
            Error::field(Code::LimitExceeded, "users", format!("`users` {problem}"))
        }
        -2 => {
            let detail = "this idempotency key was used with other users";
            Error::new(Code::IdempotencyMismatch, detail)
        }
        -3 => {
            let problem = format!("at most {CAMPAIGN_KEYS_MAX} calls with a key are allowed");
            Error::field(Code::LimitExceeded, "Idempotency-Key", problem)
        }
        _ => malformed(&script::CAMPAIGN_ADD).into(),
    }
}

/// The name of a request in Redis. A key belongs to the token's `sub`.
fn key_digest(sub: &str, key: &str) -> String {
    digest::of_text(&format!("{sub}\n{key}"))
}

fn elements_digest(mode: Mode, elements: &[String]) -> String {
    // Elements are JSON on one line each.
    digest::of_text(&format!("{}\n{}", mode.as_str(), elements.join("\n")))
}

/// Calls per request that search for users among invalid elements of other services.
const ROUNDS_MAX: usize = 8;

/// Takes up to `count` users (1 if the caller does not say), oldest first, and answers
/// `{"users":[…],"remaining":n}`. Elements that are not JSON objects are taken and omitted; the
/// others are the bytes in the list, with `tokens=true` except for tokens that are filled in.
///
/// Each user is handed out at most once: if the answer is lost, on the way here or to the caller,
/// its users are lost with it.
///
/// # Errors
/// Request errors; `wrong_type`; `redis_unavailable`.
pub async fn next(app: &App, request: &Request, id: &CampaignId) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::CampaignsWrite)?;
    request.no_body().await?;
    let wanted = Wanted::parse(request)?;
    let args = [Arg::Int(CAMPAIGN_TTL_S), Arg::Int(wanted.count)];
    let (mut users, mut remaining) = (String::new(), 0);
    // Workers stop at an answer without users, so a few invalid elements must not cause one.
    for _ in 0..ROUNDS_MAX {
        let reply = app.redis.eval(&script::CAMPAIGN_NEXT, &keys_of(id), &args).await?;
        let [left, elements @ ..] = reply.as_slice() else {
            return Err(malformed(&script::CAMPAIGN_NEXT).into());
        };
        remaining = left.int().ok_or_else(|| malformed(&script::CAMPAIGN_NEXT))?;
        let objects = elements.iter().filter_map(|element| object_text(element.bytes()?));
        users = match wanted.tokens {
            true => tokens::fill(app, objects.collect()).await.join(","),
            false => objects.collect::<Vec<_>>().join(","),
        };
        if !users.is_empty() || remaining == 0 {
            break;
        }
    }
    let body = format!("{{\"users\":[{users}],\"remaining\":{remaining}}}");
    Ok(Response::json(200, body))
}

/// The query of [`next`].
struct Wanted {
    count: i64,
    tokens: bool,
}

impl Wanted {
    fn parse(request: &Request) -> Result<Self, Error> {
        let mut wanted = Self { count: 1, tokens: false };
        for (name, value) in request.query(&["count", "tokens"])? {
            if name == "count" {
                wanted.count = number(&name, &value, 1..=CAMPAIGN_NEXT_MAX)?;
                continue;
            }
            wanted.tokens = match value.as_str() {
                "true" => true,
                "false" => false,
                _ => {
                    let problem = format!("`{name}` must be true or false");
                    return Err(Error::field(Code::InvalidField, &name, problem));
                }
            };
        }
        Ok(wanted)
    }
}
