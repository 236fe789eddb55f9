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

use crate::info::Infos;

/// Answers Redis's numbers, null if unknown (those of a cluster's masters together), and the depth of the named queues.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type` if a name is not a queue's.
pub async fn stats(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsRead)?;
    let queues = queues(request)?;
    let texts = infos(&app.redis).await?;
    let infos = Infos::parse(&texts);
    let epoch = clock::random_word();
    let depths = queues.iter().map(|queue| QueueDepth::read(&app.redis, queue, &epoch));
    let depths = try_join_all(depths).await?;
    let named = queues.iter().map(|queue| queue.as_str().to_owned());
    let queues: Map<String, Value> = named.zip(depths.iter().map(QueueDepth::to_json)).collect();
    let body = json!({
        "connectedClients": infos.sum("connected_clients"),
        "usedMemory": infos.sum("used_memory"),
        "maxMemory": infos.memory_max(),
        "totalKeys": infos.keys(),
        "evictedKeys": infos.sum("evicted_keys"),
        "keyspaceHits": infos.sum("keyspace_hits"),
        "keyspaceMisses": infos.sum("keyspace_misses"),
        "hitRate": infos.hit_percent(),
        "uptimeSeconds": infos.least("uptime_in_seconds"),
        "queues": queues,
    });
    Ok(Response::json(200, body.to_string()).with("cache-control", "no-store"))
}

/// The text of `INFO` of each server; empty if it denies the command.
pub(crate) async fn infos(redis: &impl Redis) -> Result<Vec<String>, RedisError> {
    let mut texts = Vec::new();
    for node in redis.servers().await? {
        texts.push(match redis.command_on(&node, "INFO", &[]).await {
            Ok(reply) => {
                let bytes = reply.first().and_then(Reply::bytes).unwrap_or_default();
                String::from_utf8_lossy(bytes).into_owned()
            }
            Err(RedisError::Refused(problem)) => {
                log::warn("info_refused", &[("error", &problem)]);
                String::new()
            }
            Err(error) => return Err(error),
        });
    }
    Ok(texts)
}

/// The names in `queues=`, without duplicates.
pub(crate) fn queues(request: &Request) -> Result<Vec<QueueName>, Error> {
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
