//! Arguments and results of the record's operations.

use shared::notification::{Draft, Notification, PushOptions, Quiet};
use shared::{UserId, digest};

/// An idempotency key, unique per caller, and the request that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, with the caller's identity.
    pub key: String,
    /// Hash of the request as parsed JSON.
    pub request_hash: String,
}

impl Idempotency {
    /// Digest of the key, kept when its user is erased.
    pub(super) fn key_digest(&self) -> String {
        digest::of_text(&self.key)
    }

    /// Digest of request and key, kept when the user is erased: without the key, the content cannot
    /// be guessed from it.
    pub(super) fn request_digest(&self) -> String {
        digest::of_text(&format!("{} {}", self.request_hash, self.key))
    }
}

/// A notification to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The content, with its user.
    pub draft: Draft,
    /// A unique id: a UUIDv7 (RFC 9562).
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// The idempotency key, if the request has one.
    pub idempotency: Option<Idempotency>,
    /// The push to make a job of, in the same statement.
    pub push: Option<PushOptions>,
}

/// A notification of another system to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedEntry {
    /// The notification, created when it was there, and without a push.
    pub entry: NewEntry,
    /// When it was read there, in milliseconds since the Unix epoch; `None` if it is unread.
    pub read_at_ms: Option<i64>,
}

/// The outcome of committing a [`NewEntry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The entry is committed.
    Created {
        /// Its number in the user's feed: 1, 2, 3…
        seq: i64,
        /// Whether, and why, it is not delivered live.
        quiet: Option<Quiet>,
    },
    /// The key is known and stands for the same request, which committed this entry.
    Replayed {
        /// The id of the entry.
        id: String,
        /// Its number in the user's feed.
        seq: i64,
        /// Milliseconds since the Unix epoch.
        created_at_ms: i64,
        /// The entry has been deleted, or its user erased.
        is_deleted: bool,
        /// Whether, and why, it was not delivered live.
        quiet: Option<Quiet>,
    },
    /// The key is known and stands for another request.
    Mismatch,
}

/// The result of a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The record's epoch: a seq means something only together with it.
    pub epoch: String,
    /// One outcome per entry, in their order.
    pub outcomes: Vec<Outcome>,
}

/// A notification with its read mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The notification.
    pub notification: Notification,
    /// Milliseconds since the Unix epoch; `None` if unread.
    pub read_at_ms: Option<i64>,
}

/// Which entries a page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// All.
    #[default]
    All,
    /// Those without a read mark.
    Unread,
}

impl Entry {
    /// Whether the entry has not expired at `now_ms` (Unix milliseconds).
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.notification.draft.expires_at_ms.is_none_or(|expires_at_ms| expires_at_ms > now_ms)
    }
}

/// The newest entries of a user and the user's counters, read in one statement: all that a feed is
/// loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The record's epoch.
    pub epoch: String,
    /// The user's newest seq; 0 for an unknown user.
    pub head: i64,
    /// The seq up to which all entries are noted as delivered.
    pub sent_seq: i64,
    /// The user's revision: grows with every delete, mark and erase.
    pub rev: i64,
    /// The newest entries, oldest first.
    pub entries: Vec<Entry>,
}

/// A state of a user's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// The record's epoch: revisions of different epochs cannot be compared.
    pub epoch: String,
    /// Grows with every delete, mark and erase.
    pub rev: i64,
}

/// The result of a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The user's revision after the delete.
    pub at: Revision,
    /// The seq of the deleted entry.
    pub seq: i64,
}

/// The read marks of a user's newest entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The user's revision with these marks.
    pub at: Revision,
    /// Seq and time (milliseconds since the Unix epoch) of each mark, oldest entry first.
    pub reads: Vec<(i64, i64)>,
}

/// The entries to mark as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// All entries up to this seq.
    UpTo(i64),
    /// The entries with these ids; unknown ids are ignored.
    Ids(Vec<String>),
}

/// The bounds of a prune, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Entries that expired before this time are deleted unless their idempotency keys are valid.
    pub now_ms: i64,
    /// Entries created before this time are deleted.
    pub keep_since_ms: i64,
    /// Idempotency keys created before this time have expired.
    pub keys_since_ms: i64,
}

/// A user whose newest entries may not be in the feed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The user.
    pub user: UserId,
    /// The user's newest seq.
    pub seq: i64,
    /// The seq up to which all entries are noted as delivered.
    pub sent_seq: i64,
}

/// A Redis process, compared with the one that the record has noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisRun {
    /// The same process.
    Known,
    /// The record had noted none.
    First,
    /// Another process: Redis was restarted or failed over.
    Replaced,
}
