//! Push jobs: pushes that are due or will be. The statement that commits a notification makes its
//! job, so a job is as durable as the notification.
//!
//! A claim gives a job out under a lease and a new revision. Only the latest revision may finish or
//! delay it; after the end of the lease anybody may claim it again.

use std::collections::BTreeSet;

use shared::UserId;
use shared::notification::PushOptions;

use super::rows::{Row, count, json};
use super::{Record, RecordError};
use crate::log;
use crate::ports::sql::{Sql, Value};

/// A claim of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushJobId {
    /// The user to push to.
    pub user: UserId,
    /// The seq of the notification.
    pub seq: i64,
    /// The revision of the claim.
    pub rev: i64,
}

/// A claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedPush {
    /// The claim.
    pub id: PushJobId,
    /// Earlier attempts that count.
    pub attempts: i64,
    /// What the create asked for.
    pub options: PushOptions,
    /// Names of the devices that need no further attempt.
    pub done: BTreeSet<String>,
    /// Time of the create, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// `None` if the notification was deleted.
    pub entry: Option<PushEntry>,
}

/// The notification of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEntry {
    /// A UUIDv7.
    pub id: String,
    /// The title.
    pub title: String,
    /// The body, if any.
    pub body: Option<String>,
    /// The kind, if any.
    pub kind: Option<String>,
    /// JSON text as it was sent, if any.
    pub data: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
    /// Milliseconds since the Unix epoch; `None` if unread.
    pub read_at_ms: Option<i64>,
}

/// A claimed job that waits for another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedPush {
    /// The claim.
    pub id: PushJobId,
    /// When the job may be claimed again, in milliseconds since the Unix epoch.
    pub next_at_ms: i64,
    /// Whether the attempt counts.
    pub is_counted: bool,
    /// Names of devices that need no further attempt, in addition to those of the job.
    pub done: Vec<String>,
}

/// Push jobs.
impl<S: Sql> Record<S> {
    /// The time at which the next job may be claimed, in milliseconds since the Unix epoch; `None`
    /// without jobs.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn next_push_ms(&self) -> Result<Option<i64>, RecordError> {
        Row::first(self.run_row(self.statements.push_due(), Vec::new()).await?)?.optional_int()
    }

    /// Claims up to `limit` jobs that are due at `now_ms`, until `lease_end_ms` (both milliseconds
    /// since the Unix epoch). Jobs that another call claims at the same time are left to it; one
    /// that cannot be read is logged and skipped.
    ///
    /// # Errors
    /// [`RecordError`]; the claim may have taken effect, and ends with the lease.
    pub async fn claim_pushes(
        &self,
        now_ms: i64,
        lease_end_ms: i64,
        limit: usize,
    ) -> Result<Vec<ClaimedPush>, RecordError> {
        let parameters = vec![Value::Int(now_ms), Value::Int(lease_end_ms), count(limit)];
        let rows = self.run(self.statements.push_claim(), parameters).await?;
        let jobs = rows.into_iter().map(|values| claimed(Row::new(values)));
        Ok(jobs.filter_map(|job| job.map_err(|error| unreadable(&error)).ok()).collect())
    }

    /// Removes jobs, and returns the number of those that no later claim has taken over.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn finish_pushes(&self, jobs: &[PushJobId]) -> Result<usize, RecordError> {
        if jobs.is_empty() {
            return Ok(0);
        }
        let items: Vec<_> = jobs.iter().map(|job| (job.user.as_str(), job.seq, job.rev)).collect();
        Ok(self.run(self.statements.push_finish(), vec![json(&items)?]).await?.len())
    }

    /// Lets jobs wait for another attempt, and returns the number of those that no later claim has
    /// taken over.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn delay_pushes(&self, jobs: &[DelayedPush]) -> Result<usize, RecordError> {
        if jobs.is_empty() {
            return Ok(0);
        }
        let item = |job: &DelayedPush| {
            let (user, attempts) = (job.id.user.as_str().to_owned(), i64::from(job.is_counted));
            (user, job.id.seq, job.id.rev, job.next_at_ms, attempts, job.done.clone())
        };
        let items: Vec<_> = jobs.iter().map(item).collect();
        Ok(self.run(self.statements.push_delay(), vec![json(&items)?]).await?.len())
    }
}

fn unreadable(error: &RecordError) {
    log::warn("push_job_unreadable", &[("error", &error.to_string())]);
}

/// Parses a row of user, seq, rev, attempts, options, done, created_at_ms, entry. Errors name the
/// column alone: those of parsers can quote a title or a body.
fn claimed(mut row: Row) -> Result<ClaimedPush, RecordError> {
    let malformed = |what: &str| RecordError::Malformed(format!("{what} of a push job"));
    let user = UserId::parse(&row.text()?).map_err(|_| malformed("the user"))?;
    let id = PushJobId { user, seq: row.int()?, rev: row.int()? };
    let attempts = row.int()?;
    let options = PushOptions::from_json(&row.text()?).map_err(|_| malformed("the options"))?;
    let done = serde_json::from_str(&row.text()?).map_err(|_| malformed("the done devices"))?;
    let created_at_ms = row.int()?;
    let entry = match row.optional_text()? {
        None => None,
        Some(json) => {
            let columns = serde_json::from_str(&json).map_err(|_| malformed("the notification"))?;
            let (id, title, body, kind, data, expires_at_ms, read_at_ms) = columns;
            Some(PushEntry { id, title, body, kind, data, expires_at_ms, read_at_ms })
        }
    };
    Ok(ClaimedPush { id, attempts, options, done, created_at_ms, entry })
}
