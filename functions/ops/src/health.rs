//! `GET /readyz`: whether requests can be served. A component only sees its own variables, but the
//! manifest gives all of them the same values, which tests check.

use std::time::Duration;

use runtime::app::config;
use runtime::ports::redis::Redis;
use runtime::ports::sql::SqlError;
use runtime::record::RecordError;
use runtime::spin::{clock, deadline, variables};
use runtime::{App, Code, Error, RecordApp, Response, log};

use crate::redis_permissions;

/// Longest wait for the record: the probe has to be answered before its caller gives up.
const RECORD_DEADLINE: Duration = Duration::from_secs(3);

/// Ready: every variable is valid, tokens can be verified, Redis answers and grants the permissions
/// that the components need, and the record accepts writes.
///
/// # Errors
/// `auth_not_configured`, `redis_unavailable`, `not_ready` or `record_unavailable`, naming the
/// problem.
pub async fn ready(app: &RecordApp) -> Result<Response, Error> {
    retention().await?;
    auth(app)?;
    redis(app).await?;
    redis_permissions::check(app).await?;
    record(app).await?;
    Ok(Response::json(200, r#"{"status":"ok","auth":"ok","redis":"ok","record":"ok"}"#))
}

/// Without a usable key every request with a token is rejected.
fn auth(app: &App) -> Result<(), Error> {
    match &app.config.keys_problem {
        Some(problem) => Err(Error::new(Code::AuthNotConfigured, format!("auth: {problem}"))),
        None => Ok(()),
    }
}

/// The retention, which no other call would check before the next prune.
async fn retention() -> Result<(), Error> {
    let days = config::retention_days(variables::get).await;
    days.map(drop).map_err(|error| Error::new(Code::NotReady, error.detail()))
}

async fn redis(app: &App) -> Result<(), Error> {
    let pong = app.redis.command("PING", &[]).await;
    pong.map(drop).map_err(|error| {
        log::warn("redis_not_ready", &[("error", &error.to_string())]);
        Error::from(error)
    })
}

/// A record that only answers reads loses no data, but every create fails.
async fn record(app: &RecordApp) -> Result<(), Error> {
    let check = app.record.check_writable(clock::now_ms());
    let outcome = deadline::within(RECORD_DEADLINE, check).await;
    let outcome = outcome.unwrap_or_else(|| {
        Err(match app.record.sql().is_locked() {
            true => RecordError::Sql(SqlError::sqlite("database is locked")),
            false => RecordError::TimedOut,
        })
    });
    outcome.map_err(|error| {
        log::warn("record_not_ready", &[("error", &error.to_string())]);
        Error::new(Code::RecordUnavailable, format!("record: {}", error.reason()))
    })
}
