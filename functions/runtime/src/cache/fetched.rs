//! What a source may say.

use std::time::Duration;

use serde::de::IgnoredAny;

use super::limits::Limits;

/// What validates the value that is stored: a source that knows it may say that it is still the
/// same. Empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub validators: Validators,
    /// What was demanded with that value: it holds on where a source says nothing new.
    pub limits: Limits,
}

/// `ETag` and `Last-Modified` of the source, as it wrote them; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: String,
    pub last_modified: String,
}

impl Validators {
    pub fn is_empty(&self) -> bool {
        self.etag.is_empty() && self.last_modified.is_empty()
    }
}

/// A value from its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// JSON text; anything else counts as a failure of the source.
    pub body: String,
    pub validators: Validators,
    /// How long it is fresh, where the source decides that.
    pub fresh: Option<Duration>,
    /// How old it was when it came.
    pub age: Duration,
    /// It must not be stored, nor given to anybody but whoever asked for it.
    pub no_store: bool,
    pub limits: Limits,
}

/// What a source answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    Value(Value),
    /// The value that `Known` stands for is still right; the body is ignored.
    Same(Value),
    /// There is no such thing.
    Absent,
    /// There is no such thing, and that may be remembered for this time at most.
    AbsentFor(Duration),
}

impl Fetched {
    /// A value of which nothing else is known.
    pub fn json(body: impl Into<String>) -> Self {
        Fetched::Value(Value { body: body.into(), ..Value::default() })
    }
}

/// The source gave nothing that can be used; the text is for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    Failed(String),
    TimedOut,
}

impl FetchError {
    /// As the companion keeps it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            FetchError::Failed(_) => "failed",
            FetchError::TimedOut => "timeout",
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "timeout" => FetchError::TimedOut,
            _ => FetchError::Failed("a moment ago".to_owned()),
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

/// Whether `bytes` are one JSON text in UTF-8.
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
