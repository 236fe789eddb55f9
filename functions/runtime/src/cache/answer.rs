//! What a reader gets.

use xxhash_rust::xxh3::xxh3_64;

use super::fetched::FetchError;
use super::limits::Limits;

/// The entity tag of a value, without quotes: strong, since it is of the bytes.
pub fn etag_of(body: &[u8]) -> String {
    format!("{:016x}", xxh3_64(body))
}

/// The value, or what there is instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// JSON text and its entity tag.
    Json { body: Vec<u8>, etag: String },
    /// The reader has it: `If-None-Match` names this tag.
    Unchanged { etag: String },
    /// The source does not know such a thing.
    Absent,
    /// There is nothing to serve, and the source failed.
    Failed(FetchError),
}

impl Content {
    /// JSON text.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let etag = etag_of(&body);
        Content::Json { body, etag }
    }
}

/// Where the answer came from (RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// From the store.
    Hit,
    /// There was nothing in the store.
    Miss,
    /// What was in the store was past its stale time.
    Expired,
    /// The store could not be used.
    Bypass,
}

/// An answer; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub content: Content,
    pub how: How,
    /// It was fetched by this reader and is in the store now.
    pub stored: bool,
    /// It was fetched by another reader, for whom this one waited.
    pub collapsed: bool,
    pub age_ms: i64,
    /// How much longer it is fresh; negative for a stale one.
    pub ttl_ms: i64,
    /// What its source demands of whoever keeps it.
    pub limits: Limits,
}

impl Answer {
    pub(super) fn fetched(content: Content, how: How) -> Self {
        let limits = Limits::default();
        Self { content, how, stored: false, collapsed: false, age_ms: 0, ttl_ms: 0, limits }
    }
}

/// Freshness of what was fetched, and what is demanded of whoever keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) age_ms: i64,
    pub(super) fresh_ms: i64,
    pub(super) stored: bool,
    pub(super) limits: Limits,
}
