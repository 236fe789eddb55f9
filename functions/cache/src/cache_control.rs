//! What an origin's headers demand of whoever keeps its answer (RFC 9111 for a shared cache, RFC 5861).
//!
//! What the resource declares is the most that is allowed. An origin may only demand more care, and
//! what it says wrongly counts as the most careful thing that it may have meant.

use std::time::{Duration, SystemTime};

use runtime::cache::{Limits, Windows, Word};

/// Headers of an answer; empty for none, the lines of one put together.
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
    /// Whether there is nothing about keeping: a 304 leaves what was said before (RFC 9111 §3.2).
    fn is_silent(&self) -> bool {
        self.cache_control.is_empty() && self.expires.is_empty() && self.pragma.is_empty()
    }
}

/// How a resource is kept.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    pub windows: Windows,
    /// One value is served to more than one user.
    pub is_shared: bool,
    /// The origin's times shorten the declared ones.
    pub honours_times: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// How long it is fresh from now on by what the origin says, if anything.
    pub fresh: Option<Duration>,
    /// How old it was when it came.
    pub age: Duration,
    /// It must not be kept.
    pub no_store: bool,
    pub limits: Limits,
}

/// The largest number of seconds there is (RFC 9111 §1.2.2).
const SECONDS_MAX: u64 = 1 << 31;

/// Reads the headers of an answer that came at `now`, `delay` after it was asked for.
pub fn demands(
    headers: &Headers<'_>,
    declared: &Declared,
    now: SystemTime,
    delay: Duration,
) -> Demands {
    let directives = Directives::parse(headers.cache_control);
    let mut limits = directives.words();
    let is_http10 = headers.cache_control.is_empty();
    if (is_http10 && has_item(headers.pragma, "no-cache")) || has_item(headers.vary, "*") {
        limits.add(Word::NoCache);
    }
    if declared.honours_times {
        directives.times(&mut limits);
        if limits.fresh.is_none() && !headers.expires.is_empty() {
            limits.fresh = Some(expires_in(headers, now));
        }
    }
    if limits.has(Word::MustRevalidate) || limits.has(Word::ProxyRevalidate) {
        (limits.stale, limits.error) = (Some(Duration::ZERO), Some(Duration::ZERO));
    }
    concluded(limits, headers, declared, delay)
}

/// What is demanded of a value that has not changed.
pub fn still_demanded(
    headers: &Headers<'_>,
    before: Limits,
    declared: &Declared,
    now: SystemTime,
    delay: Duration,
) -> Demands {
    match headers.is_silent() {
        true => concluded(before, headers, declared, delay),
        false => demands(headers, declared, now, delay),
    }
}

fn concluded(
    mut limits: Limits,
    headers: &Headers<'_>,
    declared: &Declared,
    delay: Duration,
) -> Demands {
    let Windows { stale, error, .. } = declared.windows;
    let age = match declared.honours_times {
        true => age(headers.age) + delay,
        false => Duration::ZERO,
    };
    let left = limits.fresh.map(|whole| whole.saturating_sub(age));
    if left == Some(Duration::ZERO) {
        // It is served again only where the origin says in so many words that it may be.
        limits.stale.get_or_insert(Duration::ZERO);
        limits.error.get_or_insert(Duration::ZERO);
        let may_be_stale = |limit: Option<Duration>, most: Duration| {
            !most.is_zero() && limit.is_some_and(|limit| !limit.is_zero())
        };
        if !may_be_stale(limits.stale, stale) && !may_be_stale(limits.error, error) {
            limits.add(Word::NoCache);
        }
    }
    let is_anothers = limits.has(Word::Private) && declared.is_shared;
    let no_store = limits.has(Word::NoStore) || limits.has(Word::NoCache) || is_anothers;
    if is_anothers {
        // Nobody asked in this user's name, so nobody knows for how long it is theirs.
        limits.add(Word::NoCache);
    }
    Demands { fresh: left, age, no_store, limits }
}

/// Directives of `Cache-Control`: names in lower case, and arguments.
struct Directives<'a>(Vec<(String, Option<&'a str>)>);

impl<'a> Directives<'a> {
    fn parse(list: &'a str) -> Self {
        let items = items(list).filter(|item| !item.is_empty());
        let directive = |item: &'a str| match item.split_once('=') {
            None => (item.to_ascii_lowercase(), None),
            // White space belongs to neither side (RFC 9111 §5.2): such an argument is wrong.
            Some((name, value)) => match name.trim_end() {
                trimmed if trimmed == name => (name.to_ascii_lowercase(), Some(value)),
                trimmed => (trimmed.to_ascii_lowercase(), Some("")),
            },
        };
        Self(items.map(directive).collect())
    }

    /// What has no number. `private="…"` and `no-cache="…"` count as if they named no fields.
    fn words(&self) -> Limits {
        let mut limits = Limits::default();
        for (name, _) in &self.0 {
            match name.as_str() {
                "no-store" => limits.add(Word::NoStore),
                "no-cache" => limits.add(Word::NoCache),
                "private" => limits.add(Word::Private),
                "must-revalidate" => limits.add(Word::MustRevalidate),
                "proxy-revalidate" => limits.add(Word::ProxyRevalidate),
                "no-transform" => limits.add(Word::NoTransform),
                _ => {}
            }
        }
        limits
    }

    fn times(&self, limits: &mut Limits) {
        let max_age = self.seconds("max-age");
        let shared = self.seconds("s-maxage");
        limits.stale = self.seconds("stale-while-revalidate");
        limits.error = self.seconds("stale-if-error");
        limits.fresh = shared.or(max_age);
        if shared.is_none() {
            return;
        }
        limits.client = max_age;
        // `s-maxage` forbids what is stale (RFC 9111 §5.2.2.10) unless RFC 5861 allows it by name.
        match (limits.stale, limits.error) {
            (None, None) => limits.add(Word::ProxyRevalidate),
            (stale, error) => {
                limits.stale = stale.or(Some(Duration::ZERO));
                limits.error = error.or(Some(Duration::ZERO));
            }
        }
    }

    /// The shortest of what a directive says; nothing is shorter than what is no number.
    fn seconds(&self, name: &str) -> Option<Duration> {
        let arguments = self.0.iter().filter(|(known, _)| known == name);
        let times = arguments.map(|(_, argument)| {
            let text = argument.unwrap_or_default();
            let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            seconds(quoted.unwrap_or(text)).unwrap_or_default()
        });
        times.min()
    }
}

/// Items of a list, trimmed; a comma in a quoted string separates nothing.
fn items(list: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_separator = move |c: char| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' => return !is_quoted,
            _ => {}
        }
        false
    };
    list.split(is_separator).map(str::trim)
}

fn has_item(list: &str, wanted: &str) -> bool {
    items(list).any(|item| item.eq_ignore_ascii_case(wanted))
}

fn seconds(digits: &str) -> Option<Duration> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = digits.parse().unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
    is_number.then_some(Duration::from_secs(seconds))
}

/// The first of several; what is no number is none (RFC 9111 §5.1).
fn age(list: &str) -> Duration {
    items(list).next().and_then(seconds).unwrap_or_default()
}

/// How long after `Date` it expires; what is no date is in the past (RFC 9111 §5.3). Without a `Date`,
/// how long from now.
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
mod tests;
