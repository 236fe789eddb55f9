//! `GET /readyz`: whether requests can be served. A component only sees its own variables, but the
//! manifest gives all of them the same values, which tests check.

use std::time::Duration;

use futures_util::future::join3;
use runtime::app::config;
use runtime::ports::redis::{Arg, Node, Redis, RedisError, Reply};
use runtime::ports::sql::SqlError;
use runtime::record::RecordError;
use runtime::spin::{clock, deadline, variables};
use runtime::{App, Code, Error, RecordApp, Response, log};
use shared::cluster::SlotMap;

use crate::redis_permissions;

/// Longest wait for the record: the probe has to be answered before its caller gives up.
pub(crate) const RECORD_DEADLINE: Duration = Duration::from_secs(3);

/// Ready: every variable is valid, tokens can be verified, Redis answers and grants the permissions
/// that the components need, and the record accepts writes.
///
/// # Errors
/// `auth_not_configured`, `auth_unavailable`, `redis_unavailable`, `not_ready` or `record_unavailable`, naming the
/// problem.
pub async fn ready(app: &RecordApp) -> Result<Response, Error> {
    retention().await?;
    auth(app).await?;
    let nodes = redis(app).await?;
    redis_permissions::check(app, &nodes).await?;
    record(app).await?;
    Ok(Response::json(200, r#"{"status":"ok","auth":"ok","redis":"ok","record":"ok"}"#))
}

/// The parts that [`ready`] asks, and what is wrong with each.
pub(crate) async fn parts(app: &RecordApp) -> [(&'static str, Result<(), Error>); 3] {
    let redis = async {
        let nodes = redis(app).await?;
        redis_permissions::check(app, &nodes).await
    };
    let (auth, redis, record) = join3(auth(app), redis, record(app)).await;
    [("auth", auth), ("redis", redis), ("record", record)]
}

/// Without a usable key every request with a token is rejected.
async fn auth(app: &App) -> Result<(), Error> {
    if let Some(problem) = &app.config.keys_problem {
        return Err(Error::new(Code::AuthNotConfigured, format!("auth: {problem}")));
    }
    app.provider_ready().await.map_err(|problem| {
        let detail = format!("auth: no keys from the identity provider: {problem}");
        Error::new(Code::AuthUnavailable, detail)
    })
}

/// The retention, which no other call would check before the next prune.
async fn retention() -> Result<(), Error> {
    let days = config::retention_days(variables::get).await;
    days.map(drop).map_err(|error| Error::new(Code::NotReady, error.detail()))
}

/// The servers, all of which answer, and which have all hash slots.
async fn redis(app: &App) -> Result<Vec<Node>, Error> {
    let nodes = app.redis.servers().await.map_err(|error| not_ready(&None, error))?;
    for node in &nodes {
        let pong = app.redis.command_on(node, "PING", &[]).await;
        pong.map_err(|error| not_ready(node, error))?;
    }
    if let Some(gap) = app.redis.gap() {
        log::warn("redis_not_ready", &[("error", &gap)]);
        return Err(Error::new(Code::RedisUnavailable, format!("redis: {gap}")));
    }
    if !app.redis.is_cluster() {
        no_node_of_a_cluster(app).await?;
    }
    Ok(nodes)
}

/// A node of a cluster answers `PING`, and then refuses most keys. A server that does not tell counts
/// as a missing one: another check names what it refuses.
async fn no_node_of_a_cluster(app: &App) -> Result<(), Error> {
    let info = app.redis.command("INFO", &[Arg::Text("cluster")]).await.unwrap_or_default();
    let text = info.first().and_then(Reply::text).unwrap_or_default();
    if !text.contains("cluster_enabled:1") {
        return Ok(());
    }
    let detail = "redis: this is a node of a cluster: use redis+cluster://… in redis_url";
    log::warn("redis_not_ready", &[("error", detail)]);
    Err(Error::new(Code::NotReady, detail))
}

fn not_ready(node: &Node, error: RedisError) -> Error {
    let text = error.to_string();
    log::warn("redis_not_ready", &[("error", &text)]);
    let who = match node {
        Some(server) => format!("the master {server} of Redis"),
        None => "redis".to_owned(),
    };
    match (tls_problem(&text).or_else(|| refusal(&text)), node) {
        (Some(problem), _) => Error::new(Code::RedisUnavailable, format!("{who}: {problem}")),
        (None, Some(_)) => {
            let detail = format!("{who} cannot be reached or does not answer");
            Error::new(Code::RedisUnavailable, detail)
        }
        (None, None) => Error::from(error),
    }
}

/// What is wrong with TLS, from the text of the host's client, which stays in the log. Hosts have
/// different libraries for it.
fn tls_problem(text: &str) -> Option<&'static str> {
    if text.contains("certificate") {
        Some("the host does not accept its TLS certificate: see the authority, name and dates")
    } else if text.contains("TLS") {
        Some("TLS failed: see redis_url")
    } else {
        None
    }
}

/// What the servers refuse, from the text of the host's client or their own.
fn refusal(text: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["AuthenticationFailed", "authentication failed", "WRONGPASS", "NOAUTH"]) {
        Some("the user or password in redis_url is not accepted")
    } else if has(&["cluster|slots", "NOPERM"]) {
        Some("the Redis user lacks permissions: CLUSTER SLOTS")
    } else if has(&["cluster support disabled"]) {
        Some("this is not a node of a cluster: use redis://… in redis_url")
    } else if has(&[SlotMap::UNNAMED]) {
        Some(SlotMap::UNNAMED)
    } else {
        None
    }
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
