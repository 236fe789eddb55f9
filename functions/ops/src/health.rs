//! `GET /healthz` and `/readyz`.

use runtime::record::Record;
use runtime::redis::Redis;
use runtime::{App, Error, Response, log};

/// Alive: the component runs.
pub fn alive() -> Response {
    Response::json(200, r#"{"status":"ok"}"#)
}

/// Ready: Redis and the record answer.
///
/// # Errors
/// `redis_unavailable` or `record_unavailable`.
pub async fn ready(app: &App) -> Result<Response, Error> {
    app.redis.command("PING", &[]).await.map_err(|error| {
        log::warn("redis_not_ready", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    app.record.ping().await.map_err(|error| {
        log::warn("record_not_ready", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    Ok(Response::json(200, r#"{"status":"ok","redis":"ok","record":"ok"}"#))
}
