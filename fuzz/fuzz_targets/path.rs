//! Request targets: paths and queries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::path::{query_pairs, segments};

fuzz_target!(|text: &str| {
    if let Ok(segments) = segments(text) {
        for segment in &segments {
            assert!(!segment.is_empty() && segment != "." && segment != "..");
            assert!(!segment.chars().any(char::is_control));
        }
        assert_eq!(
            segments.len(),
            text.bytes().filter(|byte| *byte == b'/').count() * usize::from(text != "/")
        );
    }
    if let Ok(pairs) = query_pairs(text) {
        assert!(pairs.len() <= text.split('&').count());
    }
});
