//! `GET /users/{u}/devices`; `GET`, `PUT` and `DELETE /users/{u}/devices/{device}`.

use runtime::http::auth;
use runtime::record::KnownDevice;
use runtime::spin::clock;
use runtime::{Error, RecordApp, Request, Response, devices};
use serde_json::{Value, json};
use shared::auth::Scope;
use shared::device::Device;
use shared::limits::REQUEST_BYTES_MAX;
use shared::time::rfc3339;
use shared::{DeviceName, UserId};

/// Answers `{"items":[…]}`: the user's devices by name, without addresses.
///
/// # Errors
/// Request errors; `record_unavailable`; `wrong_type`.
pub async fn list(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    let devices = known(app, request, user).await?;
    let items: Vec<Value> = devices.iter().map(shown).collect();
    Ok(private(&json!({ "items": items })))
}

/// Answers one device, without its address.
///
/// # Errors
/// As [`list`]; `not_found`.
pub async fn read(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
    name: &DeviceName,
) -> Result<Response, Error> {
    let devices = known(app, request, user).await?;
    let device = devices.iter().find(|device| device.name == name.as_str());
    let device = device.ok_or_else(|| Error::not_found("a device of this name"))?;
    Ok(private(&shown(device)))
}

async fn known(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
) -> Result<Vec<KnownDevice>, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensRead)?;
    request.query(&[])?;
    devices::list(&app.redis, &app.record, user).await
}

fn shown(device: &KnownDevice) -> Value {
    let mut shown = json!({"device": device.name, "kind": device.kind});
    let seen_at = device.seen_at_ms.map(rfc3339);
    let more = [
        ("locale", device.locale.as_ref()),
        ("timeZone", device.time_zone.as_ref()),
        ("seenAt", seen_at.as_ref()),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            shown[name] = value.as_str().into();
        }
    }
    shown
}

fn private(body: &Value) -> Response {
    Response::json(200, body.to_string()).with("cache-control", "no-store")
}

/// Registers a device; the previous owner of its address loses it.
///
/// # Errors
/// Request errors; `limit_exceeded`; `wrong_type`, `redis_unavailable` or `record_unavailable`,
/// after which the request can be repeated.
pub async fn put(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
    name: &DeviceName,
) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let device = Device::parse(&body)?;
    devices::put(&app.redis, &app.record, user, name, &device, clock::now_ms()).await?;
    Ok(Response::empty(204))
}

/// Removes a device, if there is one of this name.
///
/// # Errors
/// Request errors; `wrong_type`, `redis_unavailable` or `record_unavailable`, after which the
/// request can be repeated.
pub async fn delete(
    app: &RecordApp,
    request: &Request,
    user: &UserId,
    name: &DeviceName,
) -> Result<Response, Error> {
    auth::require_self_or(&*app.authenticate(request)?, user, Scope::TokensWrite)?;
    request.query(&[])?;
    devices::remove(&app.redis, &app.record, user, name, clock::now_ms()).await?;
    Ok(Response::empty(204))
}
