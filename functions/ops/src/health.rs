//! `GET /healthz` and `/readyz`.

use runtime::record::Record;
use runtime::redis::Redis;
use runtime::{App, Error, Response, log};

use crate::redis_permissions;

/// Alive: the component runs.
pub fn alive() -> Response {
    Response::json(200, r#"{"status":"ok"}"#)
}

/// Ready: Redis and the record answer, and Redis allows what the components need.
///
/// # Errors
/// `redis_unavailable`, `record_unavailable` or `not_ready`.
pub async fn ready(app: &App) -> Result<Response, Error> {
    app.redis.command("PING", &[]).await.map_err(|error| {
        log::warn("redis_not_ready", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    redis_permissions::check(app).await?;
    app.record.ping().await.map_err(|error| {
        log::warn("record_not_ready", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    Ok(Response::json(200, r#"{"status":"ok","redis":"ok","record":"ok"}"#))
}
