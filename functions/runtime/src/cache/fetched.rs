//! The results of a fetch.

use std::time::Duration;

use serde::de::IgnoredAny;

use super::demands::Demands;

/// The stored value's validators, with which a source may answer that the value is unchanged
/// ([`Fetched::Same`]). Empty if no value is stored or it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// The validators that came with the stored value.
    pub validators: Validators,
    /// The demands that came with the stored value. They still apply if the source sends none with
    /// "not modified".
    pub demands: Demands,
}

/// The source's validators of a value, byte for byte (RFC 9110 §8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// The source's `ETag` with its quotes; empty if missing.
    pub etag: String,
    /// The source's `Last-Modified`; empty if missing.
    pub last_modified: String,
}

impl Validators {
    /// Whether both validators are missing.
    pub fn is_empty(&self) -> bool {
        self.etag.is_empty() && self.last_modified.is_empty()
    }
}

/// A value from its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// JSON text; any other text counts as a failure of the source.
    pub body: String,
    /// Validators, for a later fetch that may answer "not modified".
    pub validators: Validators,
    /// The freshness lifetime if the source sets it; `None`: the policy's.
    pub fresh: Option<Duration>,
    /// The age of the value when it arrived.
    pub age: Duration,
    /// The value must not be stored, and is served only to the reader that fetched it.
    pub no_store: bool,
    /// The source's demands for caches that store the value.
    pub demands: Demands,
}

/// The answer of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// A value.
    Value(Value),
    /// The stored value, whose validators were in [`Previous`], is unchanged; the body is ignored.
    Same(Value),
    /// The source has no value for this key.
    Absent,
    /// As [`Fetched::Absent`], remembered for at most this time.
    AbsentFor(Duration),
}

impl Fetched {
    /// A value without validators or demands; the policy decides its freshness.
    pub fn json(body: impl Into<String>) -> Self {
        Fetched::Value(Value { body: body.into(), ..Value::default() })
    }
}

/// Why a fetch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The source failed or sent an invalid value. The text is for logs.
    Failed(String),
    /// The fetch took longer than the policy's timeout.
    TimedOut,
}

impl FetchError {
    /// The word for this error in the companion key.
    pub(super) fn word(&self) -> &'static str {
        match self {
            FetchError::Failed(_) => "failed",
            FetchError::TimedOut => "timeout",
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "timeout" => FetchError::TimedOut,
            _ => FetchError::Failed("the last fetch failed".to_owned()),
        }
    }
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::Failed(text) => f.write_str(text),
            FetchError::TimedOut => f.write_str("no answer in time"),
        }
    }
}

/// Whether `bytes` are exactly one JSON text in UTF-8.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok() && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn json_is_one_whole_text() {
        for good in ["{}", " [1] ", "null", "\"x\""] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in [&b""[..], b"{", b"{} {}", b"x", b"\"\xff\""] {
            assert!(!is_json(bad), "{bad:?}");
        }
    }
}
