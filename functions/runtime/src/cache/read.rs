//! The argument of a read.

/// A read of one value: its key, its tags, and the version that the reader has already.
#[derive(Clone, Copy, Debug)]
pub struct CacheRead<'a> {
    /// The Redis key of the value.
    pub key: &'a str,
    /// The tags that invalidate the value.
    pub tags: &'a [String],
    /// The reader's `If-None-Match`, or empty.
    pub if_none_match: &'a str,
}
