//! Which pages may use the hub: exact origins from the configuration. Browsers let any page open a
//! socket and send requests across origins, so the hub has to check.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use shared::{Code, Error};

/// Seconds that browsers cache a preflight; Chromium accepts at most two hours.
const PREFLIGHT_AGE_S: &str = "7200";

/// The request's origin if it is in the list.
fn listed<'h>(allowed: &[String], headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    allowed.iter().any(|known| known.as_bytes() == origin.as_bytes()).then_some(origin)
}

/// # Errors
/// `forbidden`: the request comes from a page that is not listed.
pub(crate) fn check(allowed: &[String], headers: &HeaderMap) -> Result<(), Error> {
    let origins = headers.get_all(ORIGIN).iter().count();
    match origins {
        0 => Ok(()),
        1 if listed(allowed, headers).is_some() => Ok(()),
        _ => {
            // The detail omits the origin: it is untrusted text, and the page knows its own.
            let detail = "this `Origin` is not in the hub's list (--allowed-origins)";
            Err(Error::new(Code::Forbidden, detail))
        }
    }
}

/// Adds the headers that let the page read the answer, errors included. Without credentials: the
/// hub uses no cookies.
pub(crate) fn share(allowed: &[String], headers: &HeaderMap, answer: &mut HeaderMap) {
    answer.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = listed(allowed, headers) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static("Retry-After, X-Request-Id");
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// Adds the other headers of a preflight answer; `methods` as in `Allow`.
pub(crate) fn preflight(methods: &'static str, answer: &mut HeaderMap) {
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let headers = HeaderValue::from_static("Authorization, Content-Type, Last-Event-ID");
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE_S));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(origins: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        check(&["https://app.example".to_owned()], &headers).is_ok()
    }

    #[test]
    fn only_listed_origins_and_requests_without_origin_are_accepted() {
        assert!(outcome(&[]) && outcome(&["https://app.example"]));
        for origins in [
            &["https://app.example.evil"][..],
            &["null"],
            &["https://APP.example"],
            &["http://app.example"],
            &["https://app.example", "https://evil.example"],
        ] {
            assert!(!outcome(origins), "{origins:?}");
        }
    }
}
