//! What the record's operations take and return.

use shared::UserId;
use shared::notification::{Draft, Notification};

use super::Idempotency;

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
