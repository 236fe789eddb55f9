//! Conditional requests (RFC 9110 §13): entity tags, `If-None-Match`, 304.

pub use shared::etag::names;

use crate::cache::etag_of;

use super::Response;

/// A JSON response with the `ETag` of its bytes: 304 without a body if `if_none_match` names it,
/// else 200. `if_none_match` is the request's header, or empty.
pub fn json(if_none_match: &str, body: impl Into<Vec<u8>>) -> Response {
    let body = body.into();
    let etag = etag_of(&body);
    let response = match names(if_none_match, &etag) {
        true => Response::empty(304),
        false => Response::json(200, body),
    };
    response.with("etag", format!("\"{etag}\""))
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn a_known_body_is_not_sent_again() {
        let fresh = json("", "{}");
        let etag = fresh.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone();
        assert_eq!((fresh.status, fresh.body.as_slice()), (200, &b"{}"[..]));
        let known = json(&etag, "{}");
        assert_eq!((known.status, known.body.len()), (304, 0));
        assert!(known.headers.contains(&("etag", etag.clone())));
        assert_eq!(json(&etag, "[]").status, 200);
    }
}
