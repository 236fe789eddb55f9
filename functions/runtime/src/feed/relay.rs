//! The relay: delivers entries that are committed, but not yet in the feeds.
//!
//! It is safe to run several relays at once: every step is idempotent. A failure for one user never
//! stops the others.

use shared::{UserId, keys, script};

use super::redis_runs::{self, NoteError};
use crate::feed::delivery::{catch_up, leave_lost_future};
use crate::log;
use crate::many_users::ManyUsers;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::ports::sql::Sql;
use crate::record::{Pending, Record, RecordError};

/// Users per round trip.
const PAGE_USERS: usize = 200;
/// Entries of this last time are delivered again to a Redis that was restarted or replaced: an hour
/// covers any replication lag and any `appendfsync` setting.
const DISTRUST_MS: i64 = 3_600_000;

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

impl From<NoteError> for RelayError {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::Redis(error) => RelayError::Redis(error),
            NoteError::Record(error) => RelayError::Record(error),
        }
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

/// Delivers until no user is pending, every pending user was tried once, or it is no longer
/// `in_time`.
///
/// # Errors
/// [`RelayError`] if a call that concerns all users fails.
pub async fn run(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    now_ms: i64,
    in_time: impl Fn() -> bool,
) -> Result<Outcome, RelayError> {
    redis_runs::note(redis, record, now_ms - DISTRUST_MS).await?;
    let (mut sent, mut after) = (0, String::new());
    loop {
        let (epoch, page) = record.pending(&after, PAGE_USERS).await?;
        let Some(last) = page.last() else { break };
        after = last.user.as_str().to_owned();
        let done = send_page(redis, record, &epoch, &page, &in_time).await?;
        record.mark_sent(&done).await?;
        sent += i64::try_from(done.len()).unwrap_or(i64::MAX);
        if page.len() < PAGE_USERS || !in_time() {
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
    let mut epoch = epoch.to_owned();
    let mut heads = heads(redis, page, &epoch).await?;
    // A feed ahead of its record, other than by a create in between: the record went back in time.
    // Then no head of this epoch proves anything, and all are asked again under a new one.
    let is_ahead = |(pending, head): (&Pending, &Result<Option<i64>, RedisError>)| match head {
        Ok(Some(head)) if *head > pending.seq => Some((pending.user.clone(), *head)),
        _ => None,
    };
    let ahead: Vec<(UserId, i64)> = page.iter().zip(&heads).filter_map(is_ahead).collect();
    for (user, head) in ahead {
        if let Some(rotated) = leave_lost_future(record, &user, &epoch, head).await? {
            epoch = rotated;
            heads = self::heads(redis, page, &epoch).await?;
            break;
        }
    }
    let mut done = Vec::with_capacity(page.len());
    for (pending, head) in page.iter().zip(heads) {
        let head = match head {
            Ok(head) => head,
            // A cluster's servers fail one by one; the users of the others need not wait.
            Err(error) => {
                log::warn("relay_user_failed", &[("error", &error.to_string())]);
                continue;
            }
        };
        if head.is_some_and(|head| head >= pending.seq) {
            done.push((pending.user.clone(), pending.seq));
            continue;
        }
        if !in_time() {
            break;
        }
        match catch_up(redis, record, &pending.user, &epoch, head, pending.seq).await {
            Ok(head) => done.push((pending.user.clone(), head)),
            Err(error) => log::warn("relay_user_failed", &[("error", &error.to_string())]),
        }
    }
    Ok(done)
}

/// The newest seq in each feed, and published, under `epoch`; `None` for a cold feed.
///
/// # Errors
/// [`RedisError`], if the call failed for all users.
async fn heads(
    redis: &impl Redis,
    page: &[Pending],
    epoch: &str,
) -> Result<Vec<Result<Option<i64>, RedisError>>, RedisError> {
    let feed = |pending: &Pending| [keys::feed(&pending.user), keys::feed_companion(&pending.user)];
    let call = ManyUsers {
        script: &script::FEED_HEADS,
        keys: page.iter().map(feed).collect(),
        fixed: vec![Arg::Text(epoch)],
        each: Vec::new(),
        replies_each: 1,
    };
    let heads = call.run(redis).await;
    if let Some(Err(error)) = heads.first().filter(|_| heads.iter().all(Result::is_err)) {
        return Err(error.clone());
    }
    let seq = |head: Vec<Reply>| head.first().and_then(Reply::int).filter(|head| *head >= 0);
    Ok(heads.into_iter().map(|head| head.map(seq)).collect())
}
