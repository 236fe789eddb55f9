//! `POST /notifications`.

use runtime::http::auth;
use runtime::http::idempotency;
use runtime::{Code, Error, RecordApp, Request, Response};
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::REQUEST_BYTES_MAX;
use shared::notification::{Delivery, Draft, Notification, PushOptions};
use shared::trace;

use crate::commit::{CreateRequest, commit};

/// Answers 201 once the notification is in the record. `delivery` says whether it is in the feed,
/// too: `pending` means that the relay will push it there, in order.
///
/// # Errors
/// Request errors; `idempotency_mismatch`; `record_unavailable`, after which the outcome is
/// unknown.
pub async fn create(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require(&claims, Scope::NotificationsWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let idempotency_key = idempotency::key_of(request)?;
    let (draft, push) = content(&body)?;
    let create = CreateRequest { draft, push, idempotency_key };
    let trace = trace::sampled(request.header("traceparent"));
    let done = commit(app, &claims.sub, vec![create], trace).await?.pop();
    let done = done.unwrap_or_else(|| Err(Error::new(Code::Internal, "nothing was committed")));
    let (notification, delivery) = done?;
    Ok(created_response(&notification, delivery))
}

fn content(body: &[u8]) -> Result<(Draft, Option<PushOptions>), Error> {
    let mut object = Object::parse(body)?;
    let content = (Draft::take_from(&mut object)?, PushOptions::take_from(&mut object)?);
    object.finish()?;
    Ok(content)
}

fn created_response(notification: &Notification, delivery: Delivery) -> Response {
    let location =
        format!("/users/{}/notifications/{}", notification.draft.user_id, notification.id);
    let body = delivery.overlay(&notification.to_json(), notification.muted_at_ms());
    Response::json(201, body).with("location", location)
}
