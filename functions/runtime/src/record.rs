//! The record: the permanent truth about notifications, behind one small interface.
//!
//! SQL lies in files, one statement each, per backend. A `feed` row per user holds the counter and
//! doubles as the outbox: pending means `sent_seq < seq`.

mod backend;
mod failure;
mod keys;
mod rows;
mod sql;
mod tokens;

pub use backend::Backend;
pub use keys::Idempotency;
pub use sql::SqlRecord;
pub use tokens::{Assignment, Pruned, TokenRow, Written};

use shared::notification::{Draft, Notification};
use shared::{Code, Error, UserId};

/// A readiness probe writes at most once in so many milliseconds, over all hosts.
pub const WRITE_CHECK_MS: i64 = 10_000;

/// The record could not do it. Whether a statement took effect is not known: one that timed out
/// may still commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError(pub String);

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl RecordError {
    /// What may be told to whoever asks: nothing of the database's own words.
    pub fn reason(&self) -> &'static str {
        failure::reason(&self.0)
    }
}

impl From<RecordError> for Error {
    fn from(_: RecordError) -> Self {
        Error::new(Code::RecordUnavailable, "the record cannot be reached or does not answer")
    }
}

/// A notification that is to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub draft: Draft,
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    pub idempotency: Option<Idempotency>,
}

/// What became of a [`NewEntry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Committed under this seq.
    Created { seq: i64 },
    /// The key is known and stands for the same request: this is what it committed. Deleted is also
    /// what an erased user had.
    Replayed { id: String, seq: i64, created_at_ms: i64, is_deleted: bool },
    /// The key is known and stands for another request.
    Mismatch,
}

/// What a create committed, in the order of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub epoch: String,
    pub outcomes: Vec<Outcome>,
}

/// A notification with the state that is shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub notification: Notification,
    /// Milliseconds since the Unix epoch.
    pub read_at_ms: Option<i64>,
}

impl Entry {
    /// Whether it has not expired at that time.
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.notification.draft.expires_at_ms.is_none_or(|expires_at_ms| expires_at_ms > now_ms)
    }
}

/// Everything a feed is loaded from, read in one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub epoch: String,
    /// The user's counter; 0 for a user that the record does not know.
    pub head: i64,
    pub sent_seq: i64,
    /// Revision: grows with every delete, mark and erase.
    pub rev: i64,
    /// Newest entries, oldest first.
    pub entries: Vec<Entry>,
}

/// Which state of a user's entries something was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// Revisions of another record mean nothing.
    pub epoch: String,
    /// Grows with every delete, mark and erase.
    pub rev: i64,
}

/// What a delete left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The user's revision after it.
    pub at: Revision,
    /// The entry's.
    pub seq: i64,
}

/// The newest entries that were read, at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub at: Revision,
    /// Seq and time (milliseconds since the Unix epoch), oldest entry first.
    pub reads: Vec<(i64, i64)>,
}

/// Which entries are marked as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// All up to this seq.
    UpTo(i64),
    Ids(Vec<String>),
}

/// Bounds of a prune, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub now_ms: i64,
    /// Everything created before goes.
    pub keep_since_ms: i64,
    /// Idempotency keys created before have expired.
    pub keys_since_ms: i64,
}

/// A user whose newest entries may not be in the feed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub user: UserId,
    pub seq: i64,
    pub sent_seq: i64,
}

/// What a Redis process is to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisRun {
    Known,
    /// The record has not seen any before.
    First,
    /// Another one than before.
    Replaced,
}

/// A value of a row or a parameter; in JSON it is itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
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
/// the database's text. A statement may run twice, when a connection broke and it is not known how
/// far it had come: all of them can bear that. An id that is inserted again is refused.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Sql {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String>;

    /// As [`Sql::query`], for a statement that gives one row at most, which a host need not then
    /// ask for a second one.
    async fn query_row(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Option<Vec<Value>>, String> {
        Ok(self.query(statement, parameters).await?.pop())
    }
}

/// The record's operations; each is one statement unless it says otherwise.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Record {
    /// Creates or upgrades the tables (several statements, idempotent).
    async fn migrate(&self) -> Result<(), RecordError>;

    /// Whether the record takes writes. It is written to only where the last such write is older
    /// than [`WRITE_CHECK_MS`], whoever made it.
    async fn check_writable(&self, now_ms: i64) -> Result<(), RecordError>;

    /// Commits entries and their users' next seqs, all or none, in one statement; a second one
    /// where idempotency keys are known already. Keys older than `keys_since_ms` have expired.
    async fn create(
        &self,
        entries: &[NewEntry],
        keys_since_ms: i64,
    ) -> Result<Created, RecordError>;

    /// The newest `limit` entries with the user's counters and the epoch.
    async fn window(&self, user: &UserId, limit: usize) -> Result<Window, RecordError>;

    /// Entries above `after`, oldest first, at most `limit`: all of them, as a feed keeps expired
    /// ones in their places, or those unexpired at `live_at_ms`.
    async fn entries_after(
        &self,
        user: &UserId,
        after: i64,
        limit: usize,
        live_at_ms: Option<i64>,
    ) -> Result<Vec<Entry>, RecordError>;

    /// Unexpired entries below `before`, newest first, at most `limit`.
    async fn entries_before(
        &self,
        user: &UserId,
        before: i64,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<Entry>, RecordError>;

    /// One entry.
    async fn entry(&self, user: &UserId, id: &str) -> Result<Option<Entry>, RecordError>;

    /// Marks entries as read, and returns the marks that hold then (two statements).
    async fn mark_read(
        &self,
        user: &UserId,
        marked: &Marked,
        now_ms: i64,
        limit: usize,
    ) -> Result<Marks, RecordError>;

    /// Deletes an entry, `None` where there never was such an entry (two or three statements). Repeating it gives the same: whoever could not bring the
    /// delete to Redis tries again. The entry's idempotency key goes on to hold.
    async fn delete(
        &self,
        user: &UserId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<Deleted>, RecordError>;

    /// Erases all entries of a user and returns the revision after it. The first statement takes
    /// all content away; the others, of which repeating it makes up for, leave of idempotency keys
    /// since `keys_since_ms` a digest, and of the rest nothing.
    async fn erase(&self, user: &UserId, keys_since_ms: i64) -> Result<Revision, RecordError>;

    /// Drops at most about `limit` rows that are no longer kept, and returns how many it dropped.
    async fn prune(&self, retention: Retention, limit: usize) -> Result<usize, RecordError>;

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
    /// replica may have lost their newest entries.
    async fn note_redis_run(&self, run_id: &str, since_ms: i64) -> Result<RedisRun, RecordError>;
}
