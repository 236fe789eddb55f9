//! `POST /users/{u}/notifications/read` and `DELETE /users/{u}/notifications/{id}`: the record
//! first, then the feed. Both can be repeated, as callers do after a 503.

use runtime::feed::delivery::DeliveryError;
use runtime::feed::marks;
use runtime::feed::removal::{forget, remove_theirs};
use runtime::http::auth;
use runtime::ports::redis::RedisError;
use runtime::record::Marked;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response};
use shared::UserId;
use shared::auth::Scope;
use shared::json::{Object, integer};
use shared::limits::{FEED_MARKS_MAX, MARK_IDS_MAX, REQUEST_BYTES_MAX};

/// Marks entries as read, answers `{"unread":n}`, and notifies the user's sockets.
///
/// # Errors
/// Request errors; `redis_unavailable` or `record_unavailable`, after which the request can
/// be repeated.
pub async fn mark_read(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::NotificationsWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let marked = marked(&body)?;
    let now_ms = clock::now_ms();
    let marks = app.record.mark_read(user, &marked, now_ms, FEED_MARKS_MAX).await?;

    let event = event(user, &marked);
    // Ids that the record does not know may be those of other services.
    let theirs = match &marked {
        Marked::Ids(ids) => ids.as_slice(),
        Marked::UpTo(_) => &[],
    };
    let brought = marks::bring(&app.redis, &app.record, user, &marks, theirs, now_ms, &event).await;
    let unread = brought.map_err(|error| match error {
        DeliveryError::Redis(error) => error.into(),
        DeliveryError::Record(error) => error.into(),
        DeliveryError::Busy => {
            Error::from(RedisError::Refused("the feed stays cold after a load".to_owned()))
        }
    })?;
    Ok(Response::json(200, format!("{{\"unread\":{unread}}}")))
}

fn marked(body: &[u8]) -> Result<Marked, Error> {
    let mut object = Object::parse(body)?;
    let (up_to, ids) = (object.take("upTo"), object.take("ids"));
    let marked = match (up_to, ids) {
        (Some(seq), None) => match integer(seq.get()) {
            Some(seq) if seq >= 0 => Marked::UpTo(seq),
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
                return Err(object.invalid("ids", "contains an invalid id"));
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

/// Deletes one entry from the record and the feed, or another service's from the feed, which is the
/// only place that it is in.
///
/// # Errors
/// Request errors; `not_found`; `redis_unavailable` or `record_unavailable`, after which the
/// request can be repeated; `wrong_type`.
pub async fn delete(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
    id: &str,
) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::NotificationsWrite)?;
    request.query(&[])?;
    let now_ms = clock::now_ms();
    let deleted = app.record.delete(user, id, now_ms).await?;
    match deleted {
        Some(deleted) => forget(&app.redis, user, id, &deleted, now_ms).await?,
        None if remove_theirs(&app.redis, user, id, now_ms).await? => {}
        None => return Err(Error::not_found("this notification")),
    }
    Ok(Response::empty(204))
}
