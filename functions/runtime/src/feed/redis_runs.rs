//! Which Redis processes have the feeds. A process that was not there before has started empty, with
//! an older file, or as a replica that lagged: entries that are noted as sent may be missing.

use crate::log;
use crate::ports::redis::{Arg, Node, Redis, RedisError, Reply};
use crate::ports::sql::Sql;
use crate::record::{Record, RecordError, RedisRun};

/// A key that never exists.
const NO_KEY: &str = "bw:relay";

/// Why the processes could not be noted.
pub(super) enum NoteError {
    Redis(RedisError),
    Record(RecordError),
}

/// Notes the processes; users with entries since `since_ms` count as pending if one is new.
///
/// A master of a cluster that does not answer keeps the run id that is noted for it, and the others
/// are compared: their users need not wait for it.
///
/// # Errors
/// [`NoteError`]: no master answers, or the record does not.
pub(super) async fn note(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    since_ms: i64,
) -> Result<(), NoteError> {
    let run = if redis.is_cluster() {
        let seen = of_masters(redis).await.map_err(NoteError::Redis)?;
        record.note_redis_runs(&seen, since_ms).await
    } else {
        let run_id = of_only(redis).await.map_err(NoteError::Redis)?;
        record.note_redis_run(&run_id, since_ms).await
    };
    if run.map_err(NoteError::Record)? == RedisRun::Replaced {
        log::warn("redis_replaced", &[("effect", "users of the last hour are checked")]);
    }
    Ok(())
}

/// The run id of the only server. Fails if it is a replica: a kept connection may lead to a former
/// primary, which still serves reads, has all entries and the known run id, and entries that the new
/// primary lacks would be noted as sent. A write without effect fails there, and the error closes
/// the connection.
async fn of_only(redis: &impl Redis) -> Result<String, RedisError> {
    redis.command("EXPIRE", &[Arg::Text(NO_KEY), Arg::Int(1)]).await?;
    let reply = redis.command("INFO", &[Arg::Text("server")]).await?;
    field(&reply, "run_id:").ok_or(RedisError::Malformed("INFO"))
}

/// The run id of each master, `None` if it does not answer. A former master of a cluster refuses to
/// read feeds by itself.
async fn of_masters(redis: &impl Redis) -> Result<Vec<(String, Option<String>)>, RedisError> {
    let (mut seen, mut problem) = (Vec::new(), None);
    for node in redis.servers().await? {
        let name = node.as_ref().map(ToString::to_string).unwrap_or_default();
        let run_id = match of_master(redis, &node).await {
            Ok(run_id) => run_id,
            Err(error @ (RedisError::Broken(_) | RedisError::Unavailable(_))) => {
                log::warn("relay_without_server", &[("error", &error.to_string())]);
                problem = Some(error);
                None
            }
            Err(error) => return Err(error),
        };
        seen.push((name, run_id));
    }
    match problem {
        Some(problem) if seen.iter().all(|(_, run_id)| run_id.is_none()) => Err(problem),
        _ => Ok(seen),
    }
}

async fn of_master(redis: &impl Redis, node: &Node) -> Result<Option<String>, RedisError> {
    let reply = redis.command_on(node, "INFO", &[]).await?;
    let is_replica = field(&reply, "role:").is_some_and(|role| role == "slave");
    let run_id = field(&reply, "run_id:").ok_or(RedisError::Malformed("INFO"))?;
    Ok((!is_replica).then_some(run_id))
}

fn field(reply: &[Reply], name: &str) -> Option<String> {
    let info = reply.first().and_then(Reply::text)?;
    info.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::to_owned)
}
