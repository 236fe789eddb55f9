//! The record: the permanent truth about notifications, behind one small interface.
//!
//! SQL lies in files, one statement each, per backend. A `feed` row per user holds the counter and
//! doubles as the outbox: pending means `sent_seq < seq`.

pub mod sqlite;

use shared::notification::{Draft, Notification};
use shared::{Code, Error, UserId};

/// The record could not do it. Whether a statement took effect is not known: one that timed out
/// may still commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError(pub String);

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RecordError> for Error {
    fn from(_: RecordError) -> Self {
        Error::new(Code::RecordUnavailable, "the record cannot be reached or does not answer")
    }
}

/// What a create committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub seq: i64,
    pub epoch: String,
}

/// Everything a feed is loaded from, read in one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub epoch: String,
    /// The user's counter; 0 for a user that the record does not know.
    pub head: i64,
    pub sent_seq: i64,
    pub read_upto: i64,
    /// Revision: grows with every delete, mark and erase.
    pub rev: i64,
    /// Newest entries, oldest first.
    pub entries: Vec<Notification>,
}

/// A user whose newest entries may not be in the feed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub user: UserId,
    pub seq: i64,
    pub sent_seq: i64,
}

/// A value of a row or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Value::Text(text.to_owned())
    }

    pub fn optional(text: Option<&str>) -> Self {
        text.map_or(Value::Null, Value::text)
    }
}

/// A database that runs one statement at a time, each within a deadline of its own. The error is
/// the database's text.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Sql {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String>;
}

/// The record's operations; each is one statement unless it says otherwise.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Record {
    /// Creates or upgrades the tables (several statements, idempotent).
    async fn migrate(&self) -> Result<(), RecordError>;

    /// Whether the record answers.
    async fn ping(&self) -> Result<(), RecordError>;

    /// Commits a notification and the user's next seq.
    async fn create(
        &self,
        draft: &Draft,
        id: &str,
        created_at_ms: i64,
    ) -> Result<Created, RecordError>;

    /// The newest `limit` entries with the user's counters and the epoch.
    async fn window(&self, user: &UserId, limit: usize) -> Result<Window, RecordError>;

    /// Entries above `after`, oldest first, at most `limit`.
    async fn entries_after(
        &self,
        user: &UserId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Notification>, RecordError>;

    /// Whether the entry exists.
    async fn has_entry(&self, user: &UserId, seq: i64) -> Result<bool, RecordError>;

    /// Users with something unsent, above `after_user` in byte order, at most `limit`, with the
    /// record's epoch.
    async fn pending(
        &self,
        after_user: &str,
        limit: usize,
    ) -> Result<(String, Vec<Pending>), RecordError>;

    /// How many users have something unsent.
    async fn pending_count(&self) -> Result<i64, RecordError>;

    /// Notes for each user that everything up to the seq is in the feed.
    async fn mark_sent(&self, sent: &[(UserId, i64)]) -> Result<(), RecordError>;

    /// Replaces the epoch if it is still `epoch` and returns the one that holds now.
    async fn rotate_epoch(&self, epoch: &str) -> Result<String, RecordError>;

    /// Notes which Redis process the feeds were written to. When it is another one than before,
    /// users written since `since_ms` count as pending: a restart or a failover to an older
    /// replica may have lost their newest entries. Returns whether it was another one.
    async fn note_redis_run(&self, run_id: &str, since_ms: i64) -> Result<bool, RecordError>;
}
