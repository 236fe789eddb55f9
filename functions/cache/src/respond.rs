//! Answers as HTTP: Cache-Control (RFC 9111, RFC 5861), Age, ETag, Cache-Status (RFC 9211).

use std::time::Duration;

use runtime::cache::{Answer, Content, FetchError, How, Limits, Windows, Word};
use runtime::{Code, Error, Response, conditional};

use crate::served::Served;
use resources::Access;

/// The response to a read.
pub fn response(served: &Served, answer: Answer, if_none_match: &str) -> Response {
    let status = cache_status(&answer);
    let control = cache_control(served, &answer);
    let age = (answer.age_ms.max(0) / 1000).to_string();
    let response = match answer.content {
        Content::Absent => problem(&Error::not_found("this resource")),
        Content::Failed(FetchError::TimedOut) => {
            problem(&Error::new(Code::OriginTimeout, "the source did not answer in time"))
        }
        Content::Failed(FetchError::Failed(_)) => {
            problem(&Error::new(Code::OriginFailed, "the source failed"))
        }
        Content::Unchanged { etag } => value(304, &etag, control, age, Vec::new()),
        Content::Json { body, etag } => match conditional::names(if_none_match, &etag) {
            true => value(304, &etag, control, age, Vec::new()),
            false => value(200, &etag, control, age, body),
        },
    };
    let response = response.with("cache-status", status);
    match served.resource.access {
        Access::Public => response,
        // For a browser's cache: the browser's next user has another token.
        Access::Subject(_) | Access::Scope => response.vary("Authorization"),
    }
}

/// Not cacheable: by default, caches may store a 404 as long as they like (RFC 9111 §4.2.2).
fn problem(error: &Error) -> Response {
    Response::from(error).with("cache-control", "no-store")
}

fn value(status: u16, etag: &str, control: String, age: String, body: Vec<u8>) -> Response {
    let response = if status == 304 { Response::empty(304) } else { Response::json(status, body) };
    response.with("cache-control", control).with("age", age).with("etag", format!("\"{etag}\""))
}

/// `max-age` is the whole time of freshness: caches subtract `Age` from it. The origin's demands
/// are passed on, and nothing allows a downstream cache more than this one.
fn cache_control(served: &Served, answer: &Answer) -> String {
    let limits = &answer.limits;
    let is_public = served.resource.access == Access::Public && !limits.has(Word::Private);
    let mut text = if is_public { "public" } else { "private" }.to_owned();
    if limits.has(Word::NoStore) {
        return if is_public { "no-store".to_owned() } else { format!("{text}, no-store") };
    }
    if limits.has(Word::NoCache) {
        text.push_str(", no-cache");
    } else {
        text.push_str(&times(served.policy.windows, answer, is_public));
    }
    if limits.has(Word::NoTransform) {
        text.push_str(", no-transform");
    }
    text
}

fn times(windows: Windows, answer: &Answer, is_public: bool) -> String {
    let Limits { client, stale, error, .. } = answer.limits;
    let shared = answer.age_ms.max(0).saturating_add(answer.ttl_ms).max(0) / 1000;
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let own = client.map_or(shared, |client| seconds(client).min(shared));
    let mut text = format!(", max-age={own}");
    if is_public && own < shared {
        text.push_str(&format!(", s-maxage={shared}"));
    }
    if answer.limits.has(Word::MustRevalidate) {
        text.push_str(", must-revalidate");
    } else if answer.limits.has(Word::ProxyRevalidate) {
        text.push_str(", proxy-revalidate");
    } else {
        let least = |window: Duration, limit: Option<Duration>| {
            seconds(window.min(limit.unwrap_or(Duration::MAX)))
        };
        let (stale, error) = (least(windows.stale, stale), least(windows.error, error));
        text.push_str(&format!(", stale-while-revalidate={stale}, stale-if-error={error}"));
    }
    text
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
        // A hit past its freshness is stale: negative, however recently it expired.
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
        let (content, limits) = (Content::json("{}"), Limits::default());
        Answer { content, how, stored: false, collapsed: false, age_ms: 1500, ttl_ms, limits }
    }

    #[test]
    fn cache_status_names_the_outcome() {
        assert_eq!(cache_status(&answer(How::Hit, 4999)), "bellwire; hit; ttl=4");
        assert_eq!(cache_status(&answer(How::Hit, -1)), "bellwire; hit; ttl=-1");
        assert_eq!(cache_status(&answer(How::Hit, 0)), "bellwire; hit; ttl=-1");
        let stored = Answer { stored: true, ..answer(How::Miss, 5000) };
        assert_eq!(cache_status(&stored), "bellwire; fwd=miss; stored; ttl=5");
        let failed = FetchError::TimedOut;
        let failed = Answer { content: Content::Failed(failed), ..answer(How::Bypass, 0) };
        assert_eq!(cache_status(&failed), "bellwire; fwd=bypass");
    }
}
