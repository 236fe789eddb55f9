//! `POST /admin/migrate`, `/admin/prune` and `/admin/relay`.

use std::time::{Duration, Instant};

use runtime::app::config;
use runtime::feed::relay;
use runtime::http::auth;
use runtime::record::Retention;
use runtime::spin::{clock, variables};
use runtime::{Error, RecordApp, Request, Response, log};
use serde_json::json;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{IDEMPOTENCY_MS, REQUEST_BYTES_MAX};

/// Time limit of a relay or prune run; the rest waits for the next run. The hub waits 15 s.
/// Counted on the monotonic clock: the clock of dates may jump back.
const RUN: Duration = Duration::from_secs(10);

/// Creates or upgrades the record's tables. `{"rotateEpoch":true}` also gives the record a new
/// epoch: the step after restoring a backup, since its seqs will be assigned again.
///
/// # Errors
/// Request errors; `record_unavailable`.
pub async fn migrate(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
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

/// Rows deleted per statement of a prune, each with a short write lock.
const PRUNE_ROWS: usize = 500;

/// Deletes rows that are older than the retention, expired or deleted, for at most ten seconds.
/// Answers `{"pruned":n,"done":bool}`; call again while `done` is false.
///
/// # Errors
/// Request errors; `record_unavailable`; rows deleted before stay deleted.
pub async fn prune(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    request.no_body().await?;
    request.query(&[])?;
    let retention_days = config::retention_days(variables::get).await?;
    let (now_ms, begun) = (clock::now_ms(), Instant::now());
    let retention = Retention {
        now_ms,
        keep_since_ms: now_ms - retention_days * 24 * 3_600_000,
        keys_since_ms: now_ms - IDEMPOTENCY_MS,
    };
    let (mut pruned, mut done) = (0, false);
    while !done && begun.elapsed() < RUN {
        let dropped = app.record.prune(retention, PRUNE_ROWS).await?;
        pruned += dropped;
        done = dropped == 0;
    }
    Ok(Response::json(200, json!({"pruned": pruned, "done": done}).to_string()))
}

/// Sends unsent notifications, for at most ten seconds. The answer tells on which channels the functions
/// publish, because hubs have to hear the same.
///
/// # Errors
/// `redis_unavailable` or `record_unavailable`; notifications sent before are marked.
pub async fn relay(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsWrite)?;
    request.no_body().await?;
    request.query(&[])?;
    let (now_ms, begun) = (clock::now_ms(), Instant::now());
    let outcome = relay::run(&app.redis, &app.record, now_ms, || begun.elapsed() < RUN).await?;
    let live = app.config.live.as_str();
    let body = json!({"sent": outcome.sent, "pending": outcome.pending, "live": live});
    Ok(Response::json(200, body.to_string()))
}
