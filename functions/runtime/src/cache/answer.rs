//! The answer that a reader gets.

use xxhash_rust::xxh3::xxh3_64;

use super::demands::Demands;
use super::fetched::FetchError;

/// The strong entity tag of a value, without quotes: a hash of its bytes.
pub fn etag_of(body: &[u8]) -> String {
    format!("{:016x}", xxh3_64(body))
}

/// The value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The value.
    Json {
        /// JSON text.
        body: Vec<u8>,
        /// The entity tag of `body`, without quotes.
        etag: String,
    },
    /// The reader has the value already: its `If-None-Match` names this tag.
    Unchanged {
        /// The entity tag, without quotes.
        etag: String,
    },
    /// The source has no value for this key.
    Absent,
    /// The source failed, and no older value may be served.
    Failed(FetchError),
}

impl Content {
    /// A value, with the entity tag of its bytes.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let etag = etag_of(&body);
        Content::Json { body, etag }
    }
}

/// Where an answer came from (RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// From the store.
    Hit,
    /// The store had no value.
    Miss,
    /// The store had a value past its stale time.
    Expired,
    /// The store could not be used.
    Bypass,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The value, or why there is none.
    pub content: Content,
    /// Where the answer came from.
    pub how: How,
    /// This reader fetched the value and stored it.
    pub stored: bool,
    /// Another reader fetched the value while this one waited.
    pub collapsed: bool,
    /// Milliseconds since the source made the value.
    pub age_ms: i64,
    /// Milliseconds for which the value remains fresh; negative if it is stale.
    pub ttl_ms: i64,
    /// The source's demands for caches that store the value.
    pub demands: Demands,
}

impl Answer {
    pub(super) fn fetched(content: Content, how: How) -> Self {
        let demands = Demands::default();
        Self { content, how, stored: false, collapsed: false, age_ms: 0, ttl_ms: 0, demands }
    }
}

/// Age, freshness and demands of a fetched value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) age_ms: i64,
    pub(super) fresh_ms: i64,
    pub(super) stored: bool,
    pub(super) demands: Demands,
}
