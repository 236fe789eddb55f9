//! The relay: delivers entries that are committed, but not yet in the feeds.
//!
//! It is safe to run several relays at once: every step is idempotent. A failure for one user never
//! stops the others.

use shared::{UserId, keys, script};

use crate::feed::delivery::catch_up;
use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::ports::sql::Sql;
use crate::record::{Pending, Record, RecordError, RedisRun};

/// Users per round trip.
const PAGE_USERS: usize = 200;
/// Entries of this last time are delivered again to a Redis that was restarted or replaced: an hour
/// covers any replication lag and any `appendfsync` setting.
const DISTRUST_MS: i64 = 3_600_000;

/// A key that never exists.
const NO_KEY: &str = "bw:relay";

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Users whose feeds are complete now.
    pub sent: i64,
    /// Users that still have undelivered entries.
    pub pending: i64,
}

/// Why a run failed for all users.
#[derive(Debug)]
pub enum RelayError {
    /// A call of Redis failed.
    Redis(RedisError),
    /// An operation of the record failed.
    Record(RecordError),
}

impl From<RedisError> for RelayError {
    fn from(error: RedisError) -> Self {
        RelayError::Redis(error)
    }
}

impl From<RecordError> for RelayError {
    fn from(error: RecordError) -> Self {
        RelayError::Record(error)
    }
}

impl From<RelayError> for shared::Error {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Redis(error) => error.into(),
            RelayError::Record(error) => error.into(),
        }
    }
}

/// Delivers until no user is pending, every pending user was tried once, or `now_ms` passes
/// `deadline_ms`.
///
/// # Errors
/// [`RelayError`] if a call that concerns all users fails.
pub async fn run(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    now_ms: impl Fn() -> i64,
    deadline_ms: i64,
) -> Result<Outcome, RelayError> {
    refuse_replicas(redis).await?;
    let run_id = redis_run_id(redis).await?;
    let run = record.note_redis_run(&run_id, now_ms() - DISTRUST_MS).await?;
    if run == RedisRun::Replaced {
        log::warn("redis_replaced", &[("effect", "users of the last hour are checked")]);
    }
    let (mut sent, mut after) = (0, String::new());
    loop {
        let (epoch, page) = record.pending(&after, PAGE_USERS).await?;
        let Some(last) = page.last() else { break };
        after = last.user.as_str().to_owned();
        let done = send_page(redis, record, &epoch, &page, || now_ms() < deadline_ms).await?;
        record.mark_sent(&done).await?;
        sent += i64::try_from(done.len()).unwrap_or(i64::MAX);
        if page.len() < PAGE_USERS || now_ms() >= deadline_ms {
            break;
        }
    }
    Ok(Outcome { sent, pending: record.pending_count().await? })
}

async fn send_page(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    epoch: &str,
    page: &[Pending],
    in_time: impl Fn() -> bool,
) -> Result<Vec<(UserId, i64)>, RelayError> {
    let feeds: Vec<String> = page
        .iter()
        .flat_map(|pending| [keys::feed(&pending.user), keys::feed_companion(&pending.user)])
        .collect();
    let heads = redis.eval(&script::FEED_HEADS, &feeds, &[Arg::Text(epoch)]).await?;
    let mut done = Vec::with_capacity(page.len());
    for (pending, head) in page.iter().zip(heads.iter().map(Reply::int)) {
        let head = head.filter(|head| *head >= 0);
        if head.is_some_and(|head| head >= pending.seq) {
            done.push((pending.user.clone(), pending.seq));
            continue;
        }
        if !in_time() {
            break;
        }
        match catch_up(redis, record, &pending.user, epoch, head, pending.seq).await {
            Ok(head) => done.push((pending.user.clone(), head)),
            Err(error) => log::warn("relay_user_failed", &[("error", &error.to_string())]),
        }
    }
    Ok(done)
}

/// Fails if this Redis is a replica. A kept connection may lead to a former primary, which still
/// serves reads, has all entries and the known run id: entries that the new primary lacks would be
/// noted as sent. A write without effect fails there, and the error closes the connection.
async fn refuse_replicas(redis: &impl Redis) -> Result<(), RedisError> {
    redis.command("EXPIRE", &[Arg::Text(NO_KEY), Arg::Int(1)]).await.map(drop)
}

/// The run id of the Redis process, which changes with a restart or a failover.
async fn redis_run_id(redis: &impl Redis) -> Result<String, RedisError> {
    let reply = redis.command("INFO", &[Arg::Text("server")]).await?;
    let info = reply.first().and_then(Reply::text).unwrap_or_default();
    let run_id = info.lines().find_map(|line| line.trim().strip_prefix("run_id:"));
    run_id.map(str::to_owned).ok_or(RedisError::Malformed("INFO"))
}
