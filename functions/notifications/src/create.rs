//! `POST /notifications`: one SQL statement commits, one Lua call delivers.

use runtime::delivery::deliver;
use runtime::io::clock;
use runtime::record::Record;
use runtime::{App, Error, Request, Response, auth, log};
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::REQUEST_BYTES_MAX;
use shared::notification::{Delivery, Draft, Notification};

/// Answers 201 once the notification is in the record. Whether it is in the feed as well is told by
/// `delivery`: `pending` means that the relay will bring it there, in order.
///
/// # Errors
/// Of the request; `record_unavailable`, after which the outcome is unknown.
pub async fn create(app: &App, request: &Request) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require(&claims, Scope::NotificationsWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    let draft = draft(&body)?;

    let created_at_ms = clock::now_ms();
    let id = clock::uuid_v7(created_at_ms);
    let created = app.record.create(&draft, &id, created_at_ms).await.map_err(|error| {
        log::error("create_failed", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    let notification = Notification { id, seq: created.seq, draft, created_at_ms };
    let delivery = match deliver(&app.redis, &app.record, &notification, &created.epoch).await {
        Ok(()) => Delivery::Sent,
        Err(error) => {
            log::warn("delivery_pending", &[("error", &error.to_string())]);
            Delivery::Pending
        }
    };
    Ok(created_response(&notification, delivery))
}

fn draft(body: &[u8]) -> Result<Draft, Error> {
    let mut object = Object::parse(body)?;
    let draft = Draft::take_from(&mut object)?;
    object.finish()?;
    Ok(draft)
}

fn created_response(notification: &Notification, delivery: Delivery) -> Response {
    let location =
        format!("/users/{}/notifications/{}", notification.draft.user_id, notification.id);
    let body = delivery.overlay(&notification.to_json());
    Response::json(201, body).with("location", location)
}
