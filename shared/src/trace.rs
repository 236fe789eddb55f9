//! A caller's trace (W3C Trace Context), carried from a create to the hubs that deliver it.

/// A `traceparent` of version 00.
const BYTES: usize = 55;

/// The `traceparent` of a request whose caller records the trace (the flag `sampled`); `None` for
/// every other header. Other versions and malformed headers are ignored, as the specification asks.
pub fn sampled(header: Option<&str>) -> Option<&str> {
    header.filter(|text| is_valid(text) && is_sampled(text))
}

/// Whether the text is a `traceparent`: `00-<trace id>-<parent id>-<flags>`, in lower-case hex, with
/// ids that are not zero.
pub fn is_valid(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &str| is_hex(part) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.split('-');
    let mut next = |bytes: usize| parts.next().filter(|part| part.len() == bytes);
    text.len() == BYTES
        && next(2) == Some("00")
        && next(32).is_some_and(is_id)
        && next(16).is_some_and(is_id)
        && next(2).is_some_and(is_hex)
}

fn is_sampled(text: &str) -> bool {
    matches!(text.bytes().last(), Some(b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'))
}

/// Trace id and parent id of a valid `traceparent`.
pub fn ids(text: &str) -> (&str, &str) {
    let mut parts = text.split('-').skip(1);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_sampled_traces_of_version_00_are_carried() {
        assert_eq!(sampled(Some(GOOD)), Some(GOOD));
        assert_eq!(ids(GOOD), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
        for other in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7\"01",
        ] {
            assert_eq!(sampled(Some(other)), None, "{other}");
        }
        assert_eq!(sampled(None), None);
    }

    proptest! {
        /// It is put into JSON as it is.
        #[test]
        fn what_is_valid_needs_no_escapes(text in "\\PC{0,60}|00-[0-9a-f\"]{32}-[0-9a-f\\\\]{16}-[0-9a-f]{2}") {
            if is_valid(&text) {
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            }
        }
    }
}
