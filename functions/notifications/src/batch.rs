//! `POST /notifications/batch`: up to 500 at once, with a result each. The items and the results are
//! those of an import, too.

use runtime::http::auth;
use runtime::http::idempotency::check_key;
use runtime::{Code, Error, RecordApp, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{BATCH_NOTIFICATIONS_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::notification::{Draft, PushOptions};
use shared::trace;

use crate::commit::{CreateRequest, Done, commit};

/// Answers 200 with a result per notification, in order. An invalid notification does not prevent
/// the others from being committed; those are committed together.
///
/// # Errors
/// Request errors; `record_unavailable`, after which the outcome is unknown.
pub async fn create(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require(&claims, Scope::NotificationsWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let (requests, errors) = split(items(&body)?.into_iter().map(create_request));
    let trace = trace::sampled(request.header("traceparent"));
    let committed = commit(app, &claims.sub, requests, trace).await?;
    let results = committed.into_iter().map(|done: Done| {
        let (notification, delivery) = done?;
        Ok(delivery.overlay(&notification.to_json(), notification.muted_at_ms()))
    });
    Ok(answer(errors, results))
}

/// The items of the body, not parsed yet.
///
/// # Errors
/// Request errors.
pub fn items(body: &[u8]) -> Result<Vec<&RawValue>, Error> {
    let mut object = Object::parse(body)?;
    let items = object.require_array("notifications", BATCH_NOTIFICATIONS_MAX)?;
    object.finish()?;
    Ok(items)
}

/// The valid items, and for each item its error or, if it is one of the valid ones, `None`.
pub fn split<T>(checked: impl Iterator<Item = Result<T, Error>>) -> (Vec<T>, Vec<Option<Error>>) {
    let (mut valid, mut errors) = (Vec::new(), Vec::new());
    for item in checked {
        match item {
            Ok(item) => {
                valid.push(item);
                errors.push(None);
            }
            Err(error) => errors.push(Some(error)),
        }
    }
    (valid, errors)
}

/// The answer: `errors` as of [`split`], and what became of each valid item, the JSON text of its
/// notification or an error.
pub fn answer(
    errors: Vec<Option<Error>>,
    mut done: impl Iterator<Item = Result<String, Error>>,
) -> Response {
    let nothing = || Err(Error::new(Code::Internal, "nothing was committed"));
    let results = errors.into_iter().map(|error| match error {
        Some(error) => result(Err(error)),
        None => result(done.next().unwrap_or_else(nothing)),
    });
    let results: Vec<String> = results.collect();
    Response::json(200, format!("{{\"results\":[{}]}}", results.join(",")))
}

fn result(done: Result<String, Error>) -> String {
    match done {
        Ok(notification) => format!("{{\"status\":201,\"notification\":{notification}}}"),
        Err(error) => {
            format!("{{\"status\":{},\"error\":{}}}", error.code().status(), error.item_json())
        }
    }
}

fn create_request(item: &RawValue) -> Result<CreateRequest, Error> {
    let mut object = Object::parse(item.get().as_bytes())?;
    let draft = Draft::take_from(&mut object)?;
    let push = PushOptions::take_from(&mut object)?;
    let idempotency_key = object.string("idempotencyKey")?;
    object.finish()?;
    if let Some(key) = &idempotency_key {
        check_key(key, "idempotencyKey")?;
    }
    Ok(CreateRequest { draft, push, idempotency_key })
}
