//! What is read.

/// What is read: a key, its tags, and what the reader has already.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The value's own key.
    pub key: &'a str,
    pub tags: &'a [String],
    /// `If-None-Match` of the reader, or empty.
    pub if_none_match: &'a str,
}
