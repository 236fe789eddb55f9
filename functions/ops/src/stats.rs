//! `GET /stats?queues=a,b`: numbers for an operator's dashboard.

use futures_util::future::try_join_all;
use runtime::http::auth;
use runtime::ports::redis::{Redis, RedisError, Reply};
use runtime::queue_depth::QueueDepth;
use runtime::spin::clock;
use runtime::{App, Code, Error, Request, Response, log};
use serde_json::{Map, Value, json};
use shared::QueueName;
use shared::auth::Scope;
use shared::limits::STATS_QUEUES_MAX;

use crate::info::Info;

/// Answers Redis's numbers, null if unknown, and the depth of the named queues.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type` if a name is not a queue's.
pub async fn stats(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsRead)?;
    let queues = queues(request)?;
    let text = info(&app.redis).await?;
    let info = Info::parse(&text);
    let epoch = clock::random_word();
    let depths = queues.iter().map(|queue| QueueDepth::read(&app.redis, queue, &epoch));
    let depths = try_join_all(depths).await?;
    let named = queues.iter().map(|queue| queue.as_str().to_owned());
    let queues: Map<String, Value> = named.zip(depths.iter().map(QueueDepth::to_json)).collect();
    let body = json!({
        "connectedClients": info.count("connected_clients"),
        "usedMemory": info.count("used_memory"),
        "maxMemory": info.count("maxmemory"),
        "totalKeys": info.keys(),
        "evictedKeys": info.count("evicted_keys"),
        "keyspaceHits": info.count("keyspace_hits"),
        "keyspaceMisses": info.count("keyspace_misses"),
        "hitRate": info.hit_percent(),
        "uptimeSeconds": info.count("uptime_in_seconds"),
        "queues": queues,
    });
    Ok(Response::json(200, body.to_string()).with("cache-control", "no-store"))
}

/// The text of `INFO`; empty if the server denies the command.
async fn info(redis: &impl Redis) -> Result<String, RedisError> {
    match redis.command("INFO", &[]).await {
        Ok(reply) => {
            let bytes = reply.first().and_then(Reply::bytes).unwrap_or_default();
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
        Err(RedisError::Refused(problem)) => {
            log::warn("info_refused", &[("error", &problem)]);
            Ok(String::new())
        }
        Err(error) => Err(error),
    }
}

/// The names in `queues=`, without duplicates.
fn queues(request: &Request) -> Result<Vec<QueueName>, Error> {
    let parameters = request.query(&["queues"])?;
    let Some((_, list)) = parameters.first() else { return Ok(Vec::new()) };
    let count = list.split(',').count();
    if count > STATS_QUEUES_MAX {
        let problem = format!("`queues` has {count} names, at most {STATS_QUEUES_MAX} are allowed");
        return Err(Error::field(Code::LimitExceeded, "queues", problem));
    }
    let names: Result<Vec<QueueName>, Error> = list.split(',').map(QueueName::parse).collect();
    let mut names = names.map_err(|error| Error::field(error.code(), "queues", error.detail()))?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
