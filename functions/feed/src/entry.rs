//! `GET /users/{u}/notifications/{id}`.

use runtime::delivery::load_cold;
use runtime::io::clock;
use runtime::record::Record;
use runtime::redis::{Arg, Redis, RedisError, Reply};
use runtime::{App, Error, Request, Response, auth, log};
use shared::auth::Scope;
use shared::notification::expiry_of;
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use crate::page::{from_record, reads_of, shown};

/// Answers one entry: from the feed where it is there, else from the record.
///
/// # Errors
/// Of the request; `not_found`; `wrong_type`; `record_unavailable`.
pub async fn read(
    app: &App,
    request: &Request,
    user: &UserId,
    id: &str,
) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::FeedRead)?;
    request.query(&[])?;
    let now = rfc3339(clock::now_ms());
    let json = match find(&app.redis, user, id).await {
        Ok(Found { element: Some(json), .. }) => Some(json),
        Ok(found) => in_record(app, user, id, found.head).await?,
        Err(RedisError::WrongType) => return Err(RedisError::WrongType.into()),
        Err(error) => {
            log::warn("entry_from_record", &[("error", &error.to_string())]);
            let sent_seq = app.record.window(user, 0).await?.sent_seq;
            in_record(app, user, id, Some(sent_seq)).await?
        }
    };
    let json = json.ok_or_else(|| Error::not_found("this notification"))?;
    let is_expired = expiry_of_shown(&json).is_some_and(|time| time <= now.as_str());
    if is_expired {
        return Err(Error::not_found("this notification"));
    }
    Ok(Response::json(200, json).with("cache-control", "private, no-cache"))
}

/// The overlay stands behind the expiry; take it off before looking.
fn expiry_of_shown(json: &str) -> Option<&str> {
    let own = json.split(",\"delivery\":\"").next()?;
    let own = own.split(",\"readAt\":\"").next()?;
    expiry_of(own)
}

struct Found {
    element: Option<String>,
    /// Newest seq that is in the feed; `None` for a cold feed.
    head: Option<i64>,
}

async fn find(redis: &impl Redis, user: &UserId, id: &str) -> Result<Found, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let reply = redis.eval(&script::FEED_ENTRY, &keys, &[Arg::Text(id)]).await?;
    let [epoch, head, reads, element @ ..] = reply.as_slice() else {
        return Err(RedisError::Refused("feed_entry gave an unexpected reply".to_owned()));
    };
    let reads = reads_of(reads.text().unwrap_or_default());
    let element = match element.first() {
        Some(Reply::Bytes(bytes)) => shown(bytes, &reads),
        _ => None,
    };
    let is_known = epoch.text().is_some_and(|epoch| !epoch.is_empty());
    Ok(Found { element, head: head.int().filter(|_| is_known) })
}

async fn in_record(
    app: &App,
    user: &UserId,
    id: &str,
    head: Option<i64>,
) -> Result<Option<String>, Error> {
    let Some(entry) = app.record.entry(user, id).await? else { return Ok(None) };
    let sent_upto = match head {
        Some(head) => head,
        // Nobody knows how far a cold feed had come; loading it brings it up to date.
        None => {
            let (window, loaded) = load_cold(&app.redis, &app.record, user).await?;
            if loaded.is_ok() { window.head } else { window.sent_seq }
        }
    };
    Ok(Some(from_record(&entry, sent_upto)))
}
