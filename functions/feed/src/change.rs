//! `POST /users/{u}/notifications/read` and `DELETE /users/{u}/notifications/{id}`: the record first,
//! then the feed. Both may be repeated: whoever got a 503 does so.

use runtime::delivery::{load_cold, reads_text};
use runtime::io::clock;
use runtime::record::{Marked, Record};
use runtime::redis::{Arg, Redis, RedisError, Reply};
use runtime::{App, Error, Request, Response, auth, log};
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S, MARK_IDS_MAX, REQUEST_BYTES_MAX};
use shared::time::rfc3339;
use shared::{UserId, keys, script};

/// Marks entries as read and answers `{"unread":n}`; the user's sockets are told.
///
/// # Errors
/// Of the request; `redis_unavailable` or `record_unavailable`, after which it may be repeated.
pub async fn mark_read(app: &App, request: &Request, user: &UserId) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::NotificationsWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    let marked = marked(&body)?;
    let now_ms = clock::now_ms();
    let marks = app.record.mark_read(user, &marked, now_ms, FEED_ENTRIES_MAX).await?;

    let event = event(user, &marked);
    let reads = reads_text(&marks.reads);
    let mut unread = tell(&app.redis, user, marks.rev, &reads, now_ms, &event).await?;
    if unread.is_none() {
        let (_, loaded) = load_cold(&app.redis, &app.record, user).await?;
        if let Err(error) = loaded {
            log::warn("feed_load_failed", &[("error", &error.to_string())]);
        }
        unread = tell(&app.redis, user, marks.rev, &reads, now_ms, &event).await?;
    }
    let unread = unread
        .ok_or_else(|| Error::from(RedisError::Refused("the feed does not get warm".to_owned())))?;
    Ok(Response::json(200, format!("{{\"unread\":{unread}}}")))
}

fn marked(body: &[u8]) -> Result<Marked, Error> {
    let mut object = Object::parse(body)?;
    let (up_to, ids) = (object.take("upTo"), object.take("ids"));
    let marked = match (up_to, ids) {
        (Some(seq), None) => match seq.get().parse::<i64>() {
            Ok(seq) if seq >= 0 => Marked::UpTo(seq),
            _ => return Err(object.invalid("upTo", "must be a non-negative integer")),
        },
        (None, Some(ids)) => {
            let ids: Vec<String> = serde_json::from_str(ids.get())
                .map_err(|_| object.invalid("ids", "must be an array of strings"))?;
            if ids.len() > MARK_IDS_MAX {
                let problem =
                    format!("has {} items, at most {MARK_IDS_MAX} are allowed", ids.len());
                return Err(object.beyond("ids", &problem));
            }
            if ids.iter().any(|id| shared::ids::check_id(id, "id").is_err()) {
                return Err(object.invalid("ids", "holds something that is no id"));
            }
            Marked::Ids(ids)
        }
        (Some(_), Some(_)) => {
            return Err(object.invalid("ids", "cannot be used together with `upTo`"));
        }
        (None, None) => {
            let problem = "either `upTo` or `ids` is required";
            return Err(Error::field(runtime::Code::MissingField, "upTo", problem));
        }
    };
    object.finish()?;
    Ok(marked)
}

/// The event's JSON text up to the value of `unread`, which the script appends.
fn event(user: &UserId, marked: &Marked) -> String {
    let which = match marked {
        Marked::UpTo(seq) => format!("\"upTo\":{seq}"),
        Marked::Ids(ids) => {
            format!("\"ids\":{}", serde_json::Value::from(ids.clone()))
        }
    };
    format!("{{\"type\":\"read\",\"userId\":\"{user}\",{which},\"unread\":")
}

/// Brings the marks to the feed; `None` for a cold one.
async fn tell(
    redis: &impl Redis,
    user: &UserId,
    rev: i64,
    reads: &str,
    now_ms: i64,
    event: &str,
) -> Result<Option<i64>, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let now = rfc3339(now_ms);
    let args = [
        Arg::Int(rev),
        Arg::Text(reads),
        Arg::Int(FEED_TTL_S as i64),
        Arg::Int(FEED_ENTRIES_MAX as i64),
        Arg::Text(&now),
        Arg::Text(keys::EVENTS_CHANNEL),
        Arg::Text(event),
    ];
    let reply = redis.eval(&script::FEED_MARK, &keys, &args).await?;
    let unread = reply.first().and_then(Reply::int);
    Ok(unread.filter(|unread| *unread >= 0))
}

/// Deletes one entry, everywhere.
///
/// # Errors
/// Of the request; `not_found`; `redis_unavailable` or `record_unavailable`, after which it may be
/// repeated.
pub async fn delete(
    app: &App,
    request: &Request,
    user: &UserId,
    id: &str,
) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::NotificationsWrite)?;
    let rev = app.record.delete(user, id, clock::now_ms()).await?;
    let rev = rev.ok_or_else(|| Error::not_found("this notification"))?;
    runtime::delivery::forget(&app.redis, user, rev, id).await?;
    Ok(Response::empty(204))
}
