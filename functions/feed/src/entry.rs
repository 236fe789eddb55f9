//! `GET /users/{u}/notifications/{id}`.

use runtime::feed::delivery::load_cold;
use runtime::http::auth;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response, log};
use shared::auth::Scope;
use shared::notification::{expiry_of, our_id_and_seq};
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use crate::page::{Reads, from_record, shown};

/// Answers one entry: from the feed if it is there, else from the record.
///
/// # Errors
/// Request errors; `not_found`; `wrong_type`; `record_unavailable`.
pub async fn read(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
    id: &str,
) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::FeedRead)?;
    request.query(&[])?;
    let now_ms = clock::now_ms();
    let json = match find(&app.redis, user, id, now_ms).await {
        Ok(Found { element: Element::Shown(json), .. }) => Some(json),
        Ok(Found { element: Element::Expired, .. }) => None,
        Ok(found) => in_record(app, user, id, now_ms, found.head).await?,
        Err(RedisError::WrongType) => return Err(RedisError::WrongType.into()),
        Err(error) => {
            log::warn("entry_from_record", &[("error", &error.to_string())]);
            let sent_seq = app.record.window(user, 0).await?.sent_seq;
            in_record(app, user, id, now_ms, Some(sent_seq)).await?
        }
    };
    let json = json.ok_or_else(|| Error::not_found("this notification"))?;
    Ok(Response::json(200, json).with("cache-control", "private, no-cache"))
}

struct Found {
    element: Element,
    /// Newest seq in the feed; `None` for a cold feed.
    head: Option<i64>,
}

/// The element that the list holds under the id.
enum Element {
    Absent,
    /// Bellwire's, past its expiry: kept in its place, but not shown.
    Expired,
    Shown(String),
}

impl Element {
    /// Parses a list element, with the marks in `reads`, at the time `now`.
    fn read(bytes: &[u8], reads: &Reads, now: &str) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if our_id_and_seq(text).is_some() && expiry_of(text).is_some_and(|time| time <= now) {
            return Element::Expired;
        }
        shown(bytes, reads).map_or(Element::Absent, Element::Shown)
    }
}

async fn find(
    redis: &impl Redis,
    user: &UserId,
    id: &str,
    now_ms: i64,
) -> Result<Found, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let reply = redis.eval(&script::FEED_ENTRY, &keys, &[Arg::Text(id)]).await?;
    let [epoch, head, reads, element @ ..] = reply.as_slice() else {
        return Err(RedisError::Malformed(script::FEED_ENTRY.name));
    };
    let reads = Reads::parse(reads.text().unwrap_or_default());
    let element = match element.first() {
        Some(Reply::Bytes(bytes)) => Element::read(bytes, &reads, &rfc3339(now_ms)),
        _ => Element::Absent,
    };
    let is_known = epoch.text().is_some_and(|epoch| !epoch.is_empty());
    Ok(Found { element, head: head.int().filter(|_| is_known) })
}

async fn in_record(
    app: &RecordApp,
    user: &UserId,
    id: &str,
    now_ms: i64,
    head: Option<i64>,
) -> Result<Option<String>, Error> {
    let entry = app.record.entry(user, id).await?;
    let Some(entry) = entry.filter(|entry| entry.is_live(now_ms)) else { return Ok(None) };
    let sent_upto = match head {
        Some(head) => head,
        // The progress of a cold feed is unknown; loading it brings it up to date.
        None => {
            let (window, loaded) = load_cold(&app.redis, &app.record, user).await?;
            if loaded.is_ok() { window.head } else { window.sent_seq }
        }
    };
    Ok(Some(from_record(&entry, sent_upto)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_expired_whether_or_not_it_was_read() {
        let element = |end: &str| {
            let start = r#"{"id":"01234567-89ab-7def-8123-456789abcdef","userId":"a","seq":3,"#;
            format!(r#"{start}"title":"t","createdAt":"2026-01-01T00:00:00.000Z"{end}}}"#)
        };
        let expiring = element(r#","expiresAt":"2026-01-02T00:00:00.000Z""#);
        for reads in ["", "3=9;"].map(Reads::parse) {
            let read = |text: &str, now: &str| Element::read(text.as_bytes(), &reads, now);
            let day = |day| format!("2026-01-0{day}T00:00:00.000Z");
            assert!(matches!(read(&expiring, &day(1)), Element::Shown(_)));
            assert!(matches!(read(&expiring, &day(2)), Element::Expired));
            assert!(matches!(read(&element(""), &day(2)), Element::Shown(_)));
            // Another service's member of that name has no meaning here.
            let foreign = r#"{"id":"x","expiresAt":"2000-01-01T00:00:00.000Z"}"#;
            assert!(matches!(read(foreign, &day(2)), Element::Shown(_)));
            assert!(matches!(read("[]", &day(2)), Element::Absent));
        }
    }
}
