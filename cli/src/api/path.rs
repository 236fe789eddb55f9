//! Paths and queries of calls: each segment is encoded, so that no id leads to another path.

use std::fmt::Write as _;

/// `/a/b%2Fc` of `["a", "b/c"]`.
pub fn join<const N: usize>(segments: [&str; N]) -> String {
    segments.iter().fold(String::new(), |path, segment| path + "/" + &encoded(segment))
}

/// `?a=1&b=2` of the pairs that have a value; empty without any.
pub fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        if let Some(value) = value {
            query.push(if query.is_empty() { '?' } else { '&' });
            let _ = write!(query, "{name}={}", encoded(value));
        }
    }
    query
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stay_segments() {
        assert_eq!(
            join(["users", "a/b?c#d%é", "notifications"]),
            "/users/a%2Fb%3Fc%23d%25%C3%A9/notifications"
        );
        assert_eq!(
            query(&[("a", None), ("b", Some("1 &2".to_owned())), ("c", Some("3".to_owned()))]),
            "?b=1%20%262&c=3"
        );
        assert_eq!(query(&[("a", None)]), "");
    }
}
