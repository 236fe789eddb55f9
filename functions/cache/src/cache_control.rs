//! The demands of an origin's headers on caches (RFC 9111 for a shared cache, RFC 5861).
//!
//! The resource's declaration is the maximum. An origin can only be stricter, and an invalid
//! directive counts as its strictest possible meaning.

use std::time::{Duration, SystemTime};

use runtime::cache::{Demands, Windows, Word};

use crate::directives::{Directives, SECONDS_MAX, has_item, items, seconds};

/// Headers of an answer; empty if missing, repeated lines joined.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    pub cache_control: &'a str,
    pub age: &'a str,
    pub date: &'a str,
    pub expires: &'a str,
    pub pragma: &'a str,
    pub vary: &'a str,
}

impl Headers<'_> {
    /// Whether no header is about caching: then a 304 leaves the previous demands in place (RFC
    /// 9111 §3.2).
    fn is_silent(&self) -> bool {
        self.cache_control.is_empty() && self.expires.is_empty() && self.pragma.is_empty()
    }
}

/// How a resource is cached.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    pub windows: Windows,
    /// One value is served to several users.
    pub is_shared: bool,
    /// The origin's times shorten the declared ones.
    pub honours_times: bool,
}

/// How a value may be cached, by the headers of its origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caching {
    /// Remaining time of freshness according to the origin, if it says.
    pub fresh: Option<Duration>,
    /// Age of the content on arrival.
    pub age: Duration,
    /// The value must not be stored.
    pub no_store: bool,
    pub demands: Demands,
}

/// Evaluates the headers of an answer that arrived at `now`, `delay` after the request.
pub fn caching(
    headers: &Headers<'_>,
    declared: &Declared,
    now: SystemTime,
    delay: Duration,
) -> Caching {
    let directives = Directives::parse(headers.cache_control);
    let mut demands = directives.words();
    let is_http10 = headers.cache_control.is_empty();
    if (is_http10 && has_item(headers.pragma, "no-cache")) || has_item(headers.vary, "*") {
        demands.add(Word::NoCache);
    }
    if declared.honours_times {
        directives.times(&mut demands);
        if demands.fresh.is_none() && !headers.expires.is_empty() {
            demands.fresh = Some(expires_in(headers, now));
        }
    }
    if demands.has(Word::MustRevalidate) || demands.has(Word::ProxyRevalidate) {
        (demands.stale, demands.error) = (Some(Duration::ZERO), Some(Duration::ZERO));
    }
    concluded(demands, headers, declared, delay)
}

/// The same for a value that has not changed (304).
pub fn caching_of_unchanged(
    headers: &Headers<'_>,
    before: Demands,
    declared: &Declared,
    now: SystemTime,
    delay: Duration,
) -> Caching {
    match headers.is_silent() {
        true => concluded(before, headers, declared, delay),
        false => caching(headers, declared, now, delay),
    }
}

fn concluded(
    mut demands: Demands,
    headers: &Headers<'_>,
    declared: &Declared,
    delay: Duration,
) -> Caching {
    let Windows { stale, error, .. } = declared.windows;
    let age = match declared.honours_times {
        true => age(headers.age) + delay,
        false => Duration::ZERO,
    };
    let left = demands.fresh.map(|whole| whole.saturating_sub(age));
    if left == Some(Duration::ZERO) {
        // Stale content is only served if the origin explicitly allows it.
        demands.stale.get_or_insert(Duration::ZERO);
        demands.error.get_or_insert(Duration::ZERO);
        let may_be_stale = |limit: Option<Duration>, most: Duration| {
            !most.is_zero() && limit.is_some_and(|limit| !limit.is_zero())
        };
        if !may_be_stale(demands.stale, stale) && !may_be_stale(demands.error, error) {
            demands.add(Word::NoCache);
        }
    }
    let is_anothers = demands.has(Word::Private) && declared.is_shared;
    let no_store = demands.has(Word::NoStore) || demands.has(Word::NoCache) || is_anothers;
    if is_anothers {
        // The request had no user's credentials, so it is unknown how long the answer stays private
        // to that user.
        demands.add(Word::NoCache);
    }
    Caching { fresh: left, age, no_store, demands }
}

/// The first of several values; an invalid number counts as missing (RFC 9111 §5.1).
fn age(list: &str) -> Duration {
    items(list).next().and_then(seconds).unwrap_or_default()
}

/// Time from `Date` to the expiry; an invalid date is in the past (RFC 9111 §5.3). Without a
/// `Date`, the time from now.
fn expires_in(headers: &Headers<'_>, now: SystemTime) -> Duration {
    let Some(expires) = date(headers.expires) else { return Duration::ZERO };
    let since = date(headers.date).unwrap_or(now);
    let time = expires.duration_since(since).unwrap_or_default();
    time.min(Duration::from_secs(SECONDS_MAX))
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn declared() -> Declared {
        let windows = Windows { fresh: S(60), ..Windows::default() };
        Declared { windows, is_shared: true, honours_times: true }
    }

    fn said(headers: &Headers<'_>) -> Caching {
        caching(headers, &declared(), UNIX_EPOCH + S(1_000_000_000), Duration::ZERO)
    }

    #[test]
    fn freshness_is_the_remaining_time() {
        let left = |cache_control, age, delay| {
            let headers = Headers { cache_control, age, ..Headers::default() };
            let caching = caching(&headers, &declared(), UNIX_EPOCH, S(delay));
            (caching.fresh, caching.age, caching.no_store)
        };
        assert_eq!(left("max-age=50", "20", 3), (Some(S(27)), S(23), false));
        assert_eq!(left("max-age=50", "20", 30), (Some(S(0)), S(50), true));
        assert_eq!(left("", "20", 3), (None, S(23), false));
        let far = S(SECONDS_MAX);
        let huge = "max-age=99999999999999999999999";
        assert_eq!(left(huge, "", 0), (Some(far), S(0), false));
        assert_eq!(left(huge, "99999999999999999999999", 0), (Some(S(0)), far, true));
    }

    #[test]
    fn an_expiry_is_counted_from_the_date_of_the_answer() {
        let fresh = |expires, date| said(&Headers { expires, date, ..Headers::default() }).fresh;
        let (now, later) = ("Sun, 09 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 01:47:10 GMT");
        assert_eq!(fresh(later, now), Some(S(30)));
        assert_eq!(fresh(later, later), Some(S(0)));
        assert_eq!(fresh(now, later), Some(S(0)));
        assert_eq!(fresh(later, ""), Some(S(30)));
        assert_eq!(fresh(later, "yesterday"), Some(S(30)));
        for wrong in ["0", "-1", "soon", "Sun, 99 Sep 2001 01:47:10 GMT"] {
            assert_eq!(fresh(wrong, now), Some(S(0)), "{wrong}");
        }
        assert_eq!(fresh("", now), None);
    }

    #[test]
    fn invalid_headers_count_as_expired() {
        for text in
            ["\"", "=", "=\"", "max-age=\"", "\\", ",", "a=\"\\", "\u{0}", "é=ü", "max-age=\u{661}"]
        {
            let headers = Headers {
                cache_control: text,
                age: text,
                date: text,
                expires: text,
                pragma: text,
                vary: text,
            };
            assert!(said(&headers).fresh.is_some(), "{text:?}: Expires is in the past");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_and_its_demands_round_trip(
            text in "(no-store|private|no-cache|max-age|s-maxage|[0-9]{1,25}|[=, \"\\\\]|\\PC){0,12}",
            age in "\\PC{0,12}",
        ) {
            let headers = Headers { cache_control: &text, age: &age, ..Headers::default() };
            let Caching { fresh, age, no_store, demands } = said(&headers);
            assert!(fresh.unwrap_or_default().max(age) <= S(SECONDS_MAX));
            assert_eq!(Demands::parse(&demands.to_text()), Some(demands));
            assert!(no_store || fresh != Some(Duration::ZERO) || demands.stale.is_some());
            // Another item never relaxes the demands.
            let more = format!("no-store, {text}");
            assert!(said(&Headers { cache_control: &more, ..headers }).no_store);
        }
    }

    #[test]
    fn a_304_without_caching_headers_keeps_the_demands() {
        let first = Headers { cache_control: "max-age=50, must-revalidate", ..Headers::default() };
        let before = said(&first).demands;
        let silent = Headers { age: "10", ..Headers::default() };
        let still = |headers: &Headers<'_>| {
            caching_of_unchanged(headers, before, &declared(), UNIX_EPOCH, Duration::ZERO)
        };
        assert_eq!((still(&silent).demands, still(&silent).fresh), (before, Some(S(40))));
        let other = Headers { cache_control: "max-age=5", ..Headers::default() };
        assert_eq!((still(&other).demands.stale, still(&other).fresh), (None, Some(S(5))));
    }
}
