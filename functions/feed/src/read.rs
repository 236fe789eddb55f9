//! `GET /users/{u}/notifications`: one Lua call on a warm feed, the record otherwise.

use runtime::delivery::load_cold;
use runtime::io::clock;
use runtime::record::Record;
use runtime::redis::{Arg, Redis, RedisError, Reply};
use runtime::{App, Error, Request, Response, auth, log};
use shared::auth::Scope;
use shared::limits::{FEED_ENTRIES_MAX, FEED_PAGE_DEFAULT};
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use crate::page::{Page, etag};

/// Answers a page, newest first, with `ETag` and 304.
///
/// # Errors
/// Of the request; `record_unavailable` when neither Redis nor the record answers; `wrong_type`.
pub async fn read(app: &App, request: &Request, user: &UserId) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::FeedRead)?;
    let limit = limit(request)?;
    let body = page(app, user, limit).await?.to_json();
    let etag = etag(&body);
    let is_known = request.header("if-none-match").is_some_and(|known| matches(known, &etag));
    let response = match is_known {
        true => Response::empty(304),
        false => Response::json(200, body),
    };
    Ok(response.with("etag", etag).with("cache-control", "private, no-cache"))
}

async fn page(app: &App, user: &UserId, limit: usize) -> Result<Page, Error> {
    let now_ms = clock::now_ms();
    match read_feed(&app.redis, user, limit, now_ms).await {
        Ok(reply) => {
            if let Some(page) = Page::from_reply(&reply) {
                return Ok(page);
            }
        }
        Err(RedisError::WrongType) => return Err(RedisError::WrongType.into()),
        Err(error) => {
            log::warn("feed_from_record", &[("error", &error.to_string())]);
            let window = app.record.window(user, FEED_ENTRIES_MAX).await?;
            return Ok(Page::from_window(&window, limit, now_ms));
        }
    }
    let (window, loaded) = load_cold(&app.redis, &app.record, user).await?;
    match loaded {
        Ok(()) => {
            let reply = read_feed(&app.redis, user, limit, now_ms).await;
            if let Some(page) = reply.ok().and_then(|reply| Page::from_reply(&reply)) {
                return Ok(page);
            }
        }
        Err(error) => log::warn("feed_load_failed", &[("error", &error.to_string())]),
    }
    Ok(Page::from_window(&window, limit, now_ms))
}

async fn read_feed(
    redis: &impl Redis,
    user: &UserId,
    limit: usize,
    now_ms: i64,
) -> Result<Vec<Reply>, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let now = rfc3339(now_ms);
    let args = [Arg::Int(limit as i64), Arg::Int(FEED_ENTRIES_MAX as i64), Arg::Text(&now)];
    redis.eval(&script::FEED_READ, &keys, &args).await
}

fn limit(request: &Request) -> Result<usize, Error> {
    let pairs = request.query(&["limit"])?;
    let Some((_, text)) = pairs.first() else { return Ok(FEED_PAGE_DEFAULT) };
    match text.parse() {
        Ok(limit) if (1..=FEED_ENTRIES_MAX).contains(&limit) => Ok(limit),
        _ => {
            let problem = format!("`limit` must be an integer from 1 to {FEED_ENTRIES_MAX}");
            Err(Error::field(runtime::Code::InvalidField, "limit", problem))
        }
    }
}

/// `If-None-Match` compares weakly (RFC 9110 §13.1.2).
fn matches(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}
