//! Request targets: the raw path is split first, then each segment is decoded once.
//!
//! Decoding before splitting would let `%2F` invent a segment; decoding twice would let `%252F`.

use crate::error::{Code, Error};

/// Splits a raw path (no query) into decoded segments; `/` has none.
///
/// # Errors
/// `invalid_path` for anything but `/seg/seg…`: a missing leading slash, empty segments (`//`,
/// a trailing `/`), `.` and `..` (plain or encoded), broken percent-encoding, text that is not
/// UTF-8 and control characters.
pub fn segments(raw: &str) -> Result<Vec<String>, Error> {
    let Some(rest) = raw.strip_prefix('/') else {
        return Err(invalid("does not start with /"));
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    rest.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<String, Error> {
    let text = percent_decode(raw, false).map_err(invalid)?;
    if text.is_empty() {
        return Err(invalid("has an empty segment"));
    }
    if text == "." || text == ".." {
        return Err(invalid("has a dotted segment"));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid("has a control character"));
    }
    Ok(text)
}

fn invalid(problem: &str) -> Error {
    Error::new(Code::InvalidPath, format!("the path {problem}"))
}

/// Decoded `name=value` pairs of a query string, in order (`application/x-www-form-urlencoded`).
///
/// # Errors
/// `invalid_field` for broken percent-encoding or text that is not UTF-8.
pub fn query_pairs(raw: &str) -> Result<Vec<(String, String)>, Error> {
    let decode = |text: &str| {
        percent_decode(text, true)
            .map_err(|problem| Error::new(Code::InvalidField, format!("the query {problem}")))
    };
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn percent_decode(raw: &str, plus_is_space: bool) -> Result<String, &'static str> {
    if !raw.contains(['%', '+']) {
        return Ok(raw.to_owned());
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = rest.next().and_then(hex_digit);
                let low = rest.next().and_then(hex_digit);
                match (high, low) {
                    (Some(high), Some(low)) => high << 4 | low,
                    _ => return Err("has broken percent-encoding"),
                }
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8")
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn splits_raw_and_decodes_once() {
        assert_eq!(segments("/").unwrap(), Vec::<String>::new());
        assert_eq!(segments("/users/a%40b/notifications").unwrap()[1], "a@b");
        assert_eq!(segments("/users/a%2Fb").unwrap(), ["users", "a/b"]);
        assert_eq!(segments("/users/a%252Fb").unwrap()[1], "a%2Fb");
        assert_eq!(segments("/a+b").unwrap()[0], "a+b");
    }

    #[test]
    fn refuses_empty_dotted_and_broken_segments() {
        for bad in [
            "",
            "x",
            "//",
            "/x/",
            "//x",
            "/a//b",
            "/.",
            "/..",
            "/a/%2e%2E",
            "/%00",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/%0A",
        ] {
            let error = segments(bad).expect_err(bad);
            assert_eq!(error.code(), Code::InvalidPath, "{bad}");
        }
    }

    #[test]
    fn reads_queries() {
        let pairs = query_pairs("limit=20&before=a%3D1&x&&y=1+2").unwrap();
        let expected = [("limit", "20"), ("before", "a=1"), ("x", ""), ("y", "1 2")];
        assert_eq!(pairs, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(query_pairs("a=%f").is_err());
    }

    proptest! {
        #[test]
        fn never_panics_and_round_trips(text in "\\PC{1,20}") {
            let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
            let _ = segments(&text);
            let _ = query_pairs(&text);
            if text != "." && text != ".." && !text.chars().any(char::is_control) {
                prop_assert_eq!(segments(&format!("/{encoded}")).unwrap(), [text]);
            }
        }
    }
}
