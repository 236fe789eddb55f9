//! The shape of JSON text that a parser has accepted, and of list elements of other services.

use serde_json::value::RawValue;

use crate::limits::ELEMENT_DEPTH_MAX;

/// The text of a list element that is a JSON object within the depth limit; `None` for others,
/// since other services may write anything.
pub fn object_text(element: &[u8]) -> Option<&str> {
    value_text(element).filter(|text| text.starts_with('{'))
}

/// The text of a list element that is JSON within the depth limit.
pub fn value_text(element: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(element).ok()?.trim();
    serde_json::from_str::<&RawValue>(text).ok()?;
    (inspect(text).depth <= ELEMENT_DEPTH_MAX).then_some(text)
}

/// The result of [`inspect`].
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// Deepest nesting of arrays and objects; a scalar has 0.
    pub depth: usize,
    /// Whether a string or name contains U+0000.
    pub has_nul: bool,
}

/// Scans JSON text that a parser has accepted, without allocating.
pub fn inspect(json: &str) -> Shape {
    let bytes = json.as_bytes();
    let (mut depth, mut deepest, mut has_nul, mut in_string, mut at) = (0usize, 0, false, false, 0);
    while let Some(&byte) = bytes.get(at) {
        match (in_string, byte) {
            (true, b'\\') => {
                has_nul |= bytes.get(at + 1..at + 6) == Some(b"u0000");
                at += 1; // the escaped character, possibly a quote or a backslash
            }
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Shape { depth: deepest, has_nul }
}
