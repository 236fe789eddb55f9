//! Answers as HTTP: Cache-Control (RFC 9111, RFC 5861), Age, ETag, Cache-Status (RFC 9211).

use runtime::cache::{Answer, Content, FetchError, How, Windows};
use runtime::{Code, Error, Response};

use crate::served::Served;
use resources::Access;

/// The response to a read.
pub fn response(served: &Served, answer: Answer, if_none_match: &str) -> Response {
    let status = cache_status(&answer);
    let control = cache_control(served, &answer);
    let age = (answer.age_ms.max(0) / 1000).to_string();
    let response = match answer.content {
        Content::Absent => Response::from(&Error::not_found("this resource")),
        Content::Failed(FetchError::TimedOut) => {
            Response::from(&Error::new(Code::OriginTimeout, "the source did not answer in time"))
        }
        Content::Failed(FetchError::Failed(_)) => {
            Response::from(&Error::new(Code::OriginFailed, "the source failed"))
        }
        Content::Unchanged { etag } => value(304, &etag, control, age, Vec::new()),
        Content::Json { body, etag } => match names(if_none_match, &etag) {
            true => value(304, &etag, control, age, Vec::new()),
            false => value(200, &etag, control, age, body),
        },
    };
    let response = response.with("cache-status", status);
    match served.resource.access {
        Access::Public => response,
        // For a browser's cache: the next user of this browser has another token.
        Access::Subject(_) | Access::Scope => response.vary("Authorization"),
    }
}

fn value(status: u16, etag: &str, control: String, age: String, body: Vec<u8>) -> Response {
    let response = if status == 304 { Response::empty(304) } else { Response::json(status, body) };
    response.with("cache-control", control).with("age", age).with("etag", format!("\"{etag}\""))
}

/// Whether `If-None-Match` names the tag (RFC 9110 §13.1.2: weak comparison).
fn names(if_none_match: &str, etag: &str) -> bool {
    if if_none_match.is_empty() {
        return false;
    }
    if_none_match.trim() == "*" || if_none_match.contains(&format!("\"{etag}\""))
}

/// `max-age` is the whole freshness: caches subtract `Age` from it.
fn cache_control(served: &Served, answer: &Answer) -> String {
    let seconds = |ms: i64| ms.max(0) / 1000;
    let Windows { stale, error, .. } = served.policy.windows;
    let scope = if served.resource.access == Access::Public { "public" } else { "private" };
    format!(
        "{scope}, max-age={}, stale-while-revalidate={}, stale-if-error={}",
        seconds(answer.age_ms.max(0).saturating_add(answer.ttl_ms)),
        stale.as_secs(),
        error.as_secs(),
    )
}

fn cache_status(answer: &Answer) -> String {
    let has_value = matches!(answer.content, Content::Json { .. } | Content::Unchanged { .. });
    let mut status = match answer.how {
        How::Hit => "bellwire; hit",
        How::Miss => "bellwire; fwd=miss",
        How::Expired => "bellwire; fwd=stale",
        How::Bypass => "bellwire; fwd=bypass",
    }
    .to_owned();
    if answer.stored {
        status.push_str("; stored");
    }
    if answer.collapsed {
        status.push_str("; collapsed");
    }
    if has_value {
        // A hit whose time is up is stale: negative, however short ago that was.
        let is_stale = answer.how == How::Hit && answer.ttl_ms <= 0;
        let ttl_ms = if is_stale { answer.ttl_ms - 1 } else { answer.ttl_ms };
        status.push_str(&format!("; ttl={}", ttl_ms.div_euclid(1000)));
    }
    status
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn answer(how: How, ttl_ms: i64) -> Answer {
        let content = Content::json("{}");
        Answer { content, how, stored: false, collapsed: false, age_ms: 1500, ttl_ms }
    }

    #[test]
    fn the_status_says_what_happened() {
        assert_eq!(cache_status(&answer(How::Hit, 4999)), "bellwire; hit; ttl=4");
        assert_eq!(cache_status(&answer(How::Hit, -1)), "bellwire; hit; ttl=-1");
        assert_eq!(cache_status(&answer(How::Hit, 0)), "bellwire; hit; ttl=-1");
        let stored = Answer { stored: true, ..answer(How::Miss, 5000) };
        assert_eq!(cache_status(&stored), "bellwire; fwd=miss; stored; ttl=5");
        let failed = FetchError::TimedOut;
        let failed = Answer { content: Content::Failed(failed), ..answer(How::Bypass, 0) };
        assert_eq!(cache_status(&failed), "bellwire; fwd=bypass");
    }

    #[test]
    fn if_none_match_is_a_list() {
        assert!(names("\"a\", W/\"b\"", "b") && names("*", "b") && names(" * ", "b"));
        assert!(!names("\"a\"", "b") && !names("", "b") && !names("b", "b"));
    }
}
