//! `POST /admin/migrate` and `/admin/relay`.

use runtime::io::clock;
use runtime::record::Record;
use runtime::{App, Error, Request, Response, auth, log, relay};
use serde_json::json;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::REQUEST_BYTES_MAX;

/// A run of the relay ends after this; what is left waits for the next one. The hub waits 15 s.
const RELAY_RUN_MS: i64 = 10_000;

/// Creates or upgrades the record's tables. `{"rotateEpoch":true}` also gives the record a new
/// epoch: the step after a restore from a backup, so that seqs that are counted again are not
/// taken for known ones.
///
/// # Errors
/// Of the request; `record_unavailable`.
pub async fn migrate(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    let rotate = rotate_epoch(&body)?;
    let record_failed = |error: runtime::record::RecordError| {
        log::error("migrate_failed", &[("error", &error.to_string())]);
        Error::from(error)
    };
    app.record.migrate().await.map_err(record_failed)?;
    let (mut epoch, _) = app.record.pending("", 1).await.map_err(record_failed)?;
    if rotate {
        epoch = app.record.rotate_epoch(&epoch).await.map_err(record_failed)?;
    }
    Ok(Response::json(200, json!({"epoch": epoch}).to_string()))
}

fn rotate_epoch(body: &[u8]) -> Result<bool, Error> {
    if body.is_empty() {
        return Ok(false);
    }
    let mut object = Object::parse(body)?;
    let rotate = match object.take("rotateEpoch").map(|value| value.get()) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(object.invalid("rotateEpoch", "must be true or false")),
    };
    object.finish()?;
    Ok(rotate)
}

/// Sends what is unsent, for at most ten seconds.
///
/// # Errors
/// `redis_unavailable` or `record_unavailable`; whatever was sent before is noted.
pub async fn relay(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    let deadline_ms = clock::now_ms() + RELAY_RUN_MS;
    let outcome = relay::run(&app.redis, &app.record, clock::now_ms, deadline_ms).await?;
    let body = json!({"sent": outcome.sent, "pending": outcome.pending});
    Ok(Response::json(200, body.to_string()))
}
