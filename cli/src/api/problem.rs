//! Answers that are no success: problem+json (RFC 9457) as a failure that says what to do.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use serde::Deserialize;

use crate::failure::{Failure, Kind};
use crate::output::clean;
use crate::secrets::{NOT_A_JWT, Token};

/// The members of a problem that matter.
#[derive(Debug, Default, Deserialize)]
pub struct Problem {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub detail: String,
    pub field: Option<String>,
}

impl Problem {
    /// The problem of a body; an empty one if it is none, as a proxy's page.
    pub fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The failure of a call, `shown`, that was answered with `status`. `token` is the one
    /// that was sent.
    pub fn into_failure(
        self,
        shown: &str,
        status: u16,
        headers: &HeaderMap,
        token: Option<&Token>,
    ) -> Failure {
        let mut text = match (self.code.as_str(), self.detail.as_str()) {
            ("", _) => {
                format!("{shown} was answered with {status} by something else than Bellwire")
            }
            (code, detail) => format!("{shown}: {detail} ({status} {code})"),
        };
        if status >= 500
            && let Some(id) = headers.get("x-request-id").and_then(|id| id.to_str().ok())
        {
            text += &format!(", request {id}");
        }
        let mut failure = Failure::new(Kind::of_status(status), clean(&text));
        failure.hint = hint(&self.code, status, token);
        failure.code = Some(self.code).filter(|code| !code.is_empty());
        failure.field = self.field;
        failure.may_be_done = status >= 500;
        failure
    }
}

fn hint(code: &str, status: u16, token: Option<&Token>) -> Option<String> {
    let source = token.map_or("none", |token| token.source.as_str());
    let hint = match code {
        "unauthorized" if token.is_some_and(|token| !token.is_jwt()) => {
            format!("the token is from: {source}; {NOT_A_JWT}")
        }
        "unauthorized" => {
            format!("the token is from: {source}. Is it signed with the key of this installation?")
        }
        "token_expired" => format!(
            "the token is from: {source}. Get a new one; `bellwire token` makes one for development"
        ),
        "forbidden" => format!(
            "the token is from: {source}. It needs the scope that is named, or the user's own token"
        ),
        "auth_not_configured" => "functions and hub need a key: docs/configuration.md".to_owned(),
        "redis_unavailable" | "record_unavailable" | "not_ready" => {
            "`bellwire doctor` says what is wrong".to_owned()
        }
        "rate_limited" | "too_many_sockets" => "try again later".to_owned(),
        "" => {
            let what = if status == 404 { "is the URL right?" } else { "is a proxy in front?" };
            format!("{what} `bellwire doctor` looks at functions and hub")
        }
        _ => return None,
    };
    Some(hint)
}

/// The time that an answer asks its caller to wait: seconds, or a date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::secrets::TokenSource;

    #[test]
    fn a_problem_says_what_is_wrong_and_a_page_of_a_proxy_says_so() {
        let body =
            br#"{"code":"invalid_field","detail":"`title` is empty","field":"title","status":400}"#;
        let failure =
            Problem::parse(body).into_failure("POST /notifications", 400, &HeaderMap::new(), None);
        assert_eq!(failure.detail, "POST /notifications: `title` is empty (400 invalid_field)");
        assert_eq!((failure.kind, failure.field.as_deref()), (Kind::Failed, Some("title")));
        let failure =
            Problem::parse(b"<html>").into_failure("GET /x", 502, &HeaderMap::new(), None);
        assert_eq!(failure.kind, Kind::Unreachable);
        assert!(failure.detail.contains("something else than Bellwire"));
    }

    #[test]
    fn a_token_that_is_no_jwt_is_named() {
        let source = TokenSource::Variable("nonsense".to_owned(), "BELLWIRE_TOKEN".to_owned());
        let token = source.read().unwrap();
        let body = br#"{"code":"unauthorized","detail":"the token is invalid","status":401}"#;
        let failure =
            Problem::parse(body).into_failure("GET /x", 401, &HeaderMap::new(), Some(&token));
        let hint = failure.hint.unwrap();
        assert!(hint.contains("BELLWIRE_TOKEN; it is not a JWT"), "{hint}");
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let of = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, UNIX_EPOCH + Duration::from_secs(10))
        };
        assert_eq!(of("2"), Some(Duration::from_secs(2)));
        assert_eq!(of("Thu, 01 Jan 1970 00:00:15 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(of("Thu, 01 Jan 1970 00:00:01 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
    }
}
