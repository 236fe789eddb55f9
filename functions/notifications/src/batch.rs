//! `POST /notifications/batch`: up to 500 at once, with a result each.

use runtime::http::auth;
use runtime::{Code, Error, RecordApp, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{BATCH_NOTIFICATIONS_MAX, REQUEST_ARRAY_BYTES_MAX};
use shared::notification::{Draft, PushOptions};

use crate::commit::{CreateRequest, Done, check_key, commit};

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
    let checked: Vec<Result<CreateRequest, Error>> =
        items(&body)?.into_iter().map(create_request).collect();

    let mut errors = Vec::with_capacity(checked.len());
    let mut requests = Vec::with_capacity(checked.len());
    for item in checked {
        match item {
            Ok(create) => {
                requests.push(create);
                errors.push(None);
            }
            Err(error) => errors.push(Some(error)),
        }
    }
    let mut committed = commit(app, &claims.sub, requests).await?.into_iter();
    let results = errors.into_iter().map(|error| match error {
        Some(error) => result(&Err(error)),
        None => result(&committed.next().unwrap_or_else(nothing_committed)),
    });
    let results: Vec<String> = results.collect();
    Ok(Response::json(200, format!("{{\"results\":[{}]}}", results.join(","))))
}

fn nothing_committed() -> Done {
    Err(Error::new(Code::Internal, "nothing was committed"))
}

fn items(body: &[u8]) -> Result<Vec<&RawValue>, Error> {
    let mut object = Object::parse(body)?;
    let items = object.require_array("notifications", BATCH_NOTIFICATIONS_MAX)?;
    object.finish()?;
    Ok(items)
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

fn result(done: &Done) -> String {
    match done {
        Ok((notification, delivery)) => {
            let notification = delivery.overlay(&notification.to_json(), None);
            format!("{{\"status\":201,\"notification\":{notification}}}")
        }
        Err(error) => {
            format!("{{\"status\":{},\"error\":{}}}", error.code().status(), error.item_json())
        }
    }
}
