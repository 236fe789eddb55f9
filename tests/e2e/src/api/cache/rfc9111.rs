//! What an origin's headers do to its answer: the cases of the public HTTP cache tests
//! (github.com/http-tests/cache-tests) that concern an origin, under their names there.
//!
//! Where a case lets time pass, its answer is made stale as it comes (`max-age=0` for `max-age=1`).
//! Cases of what becomes stale later are in `stale.rs`. Not here: what depends on headers of the request,
//! none of which reaches an origin, and on headers of the answer, none of which reaches a client.

use std::time::{Duration, SystemTime};

use support::{Functions, Origin, Plan, RedisServer};

pub const RESOURCES: &str = r#"
[[resource]]
path = "case/{id}"
access = "public"
fresh = "100s"
stale = "100s"
error = "100s"
absent = "60s"
cool_down = "1ms"
http = { url = "http://{{ settings_host }}/{id}" }

[[resource]]
path = "strict/{id}"
access = "public"
fresh = "100s"
stale = "0s"
error = "0s"
cool_down = "1ms"
http = { url = "http://{{ settings_host }}/{id}" }

[[resource]]
path = "own/{userId}"
access = "subject:userId"
fresh = "100s"
http = { url = "http://{{ settings_host }}/{userId}" }

[[resource]]
path = "words/{id}"
access = "public"
fresh = "100s"
http = { url = "http://{{ settings_host }}/{id}", honour_cache_control = false }
"#;

/// What a second reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// What the first one was given.
    Cached,
    /// Another answer of the origin.
    Asked,
}
use Then::{Asked, Cached};

type Case = (&'static str, &'static [(&'static str, &'static str)], Then);

/// `{+n}` is the date n seconds from now.
#[rustfmt::skip]
const RESPONSE_DIRECTIVES: &[Case] = &[
    ("cc-resp-private-shared", &[("Cache-Control", "private, max-age=3600")], Asked),
    ("cc-resp-no-store", &[("Cache-Control", "no-store")], Asked),
    ("cc-resp-no-store-case-insensitive", &[("Cache-Control", "No-StOrE")], Asked),
    ("cc-resp-no-store-fresh", &[("Cache-Control", "max-age=10000, no-store"), ("Expires", "{+10000}"), ("Date", "{+0}")], Asked),
    ("cc-resp-no-cache", &[("Cache-Control", "max-age=10000, no-cache"), ("Expires", "{+10000}"), ("Date", "{+0}")], Asked),
    ("cc-resp-no-cache-case-insensitive", &[("Cache-Control", "max-age=10000, No-CaChE")], Asked),
    ("headers-omit-headers-listed-in-Cache-Control-no-cache-single", &[("Cache-Control", "no-cache=\"a\""), ("a", "1"), ("Cache-Control", "max-age=3600")], Asked),
    ("headers-omit-headers-listed-in-Cache-Control-no-cache", &[("Cache-Control", "no-cache=\"a, b\", max-age=3600")], Asked),
    ("cc-resp-must-revalidate-fresh", &[("Cache-Control", "max-age=10000, must-revalidate"), ("ETag", "\"abcd\"")], Cached),
    ("cc-resp-immutable-fresh", &[("Cache-Control", "max-age=10000, immutable")], Cached),
    ("status-200-must-understand", &[("Cache-Control", "max-age=3600, no-store, must-understand")], Asked),
    ("pragma-response-no-cache", &[("Cache-Control", "max-age=10000"), ("Pragma", "no-cache")], Cached),
    ("pragma-response-no-cache-heuristic", &[("Last-Modified", "{-10000}"), ("Pragma", "no-cache")], Asked),
    ("pragma-response-extension", &[("Cache-Control", "max-age=3600"), ("Pragma", "foobar")], Cached),
    ("vary-match", &[("Cache-Control", "max-age=5000"), ("Vary", "Foo")], Cached),
    ("vary-star", &[("Cache-Control", "max-age=5000"), ("Vary", "*")], Asked),
    ("vary-syntax-star-foo", &[("Cache-Control", "max-age=5000"), ("Vary", "*, Foo")], Asked),
    ("vary-syntax-foo-star", &[("Cache-Control", "max-age=5000"), ("Vary", "Foo"), ("Vary", " *")], Asked),
    ("other-set-cookie", &[("Cache-Control", "max-age=3600"), ("Set-Cookie", "a=b")], Cached),
];

#[rustfmt::skip]
const FRESHNESS: &[Case] = &[
    // The declared time decides.
    ("freshness-none", &[], Cached),
    ("freshness-max-age", &[("Cache-Control", "max-age=3600")], Cached),
    ("freshness-max-age-0", &[("Cache-Control", "max-age=0")], Asked),
    ("freshness-max-age-max-minus-1", &[("Cache-Control", "max-age=2147483647")], Cached),
    ("freshness-max-age-max", &[("Cache-Control", "max-age=2147483648")], Cached),
    ("freshness-max-age-max-plus-1", &[("Cache-Control", "max-age=2147483649")], Cached),
    ("freshness-max-age-max-plus", &[("Cache-Control", "max-age=99999999999")], Cached),
    ("freshness-max-age-overflow", &[("Cache-Control", "max-age=99999999999999999999999")], Cached),
    ("freshness-max-age-age", &[("Cache-Control", "max-age=3600"), ("Age", "12000")], Asked),
    // An origin's clock is not believed to be right.
    ("freshness-max-age-date", &[("Cache-Control", "max-age=3600"), ("Date", "{-7200}")], Cached),
    ("freshness-max-age-expires", &[("Cache-Control", "max-age=3600"), ("Expires", "{-7200}"), ("Date", "{+0}")], Cached),
    ("freshness-max-age-expires-invalid", &[("Cache-Control", "max-age=3600"), ("Expires", "0"), ("Date", "{+0}")], Cached),
    ("freshness-max-age-0-expires", &[("Cache-Control", "max-age=0"), ("Expires", "{+3600}"), ("Date", "{+0}")], Asked),
    ("freshness-max-age-extension", &[("Cache-Control", "foobar, max-age=3600")], Cached),
    ("freshness-max-age-case-insenstive", &[("Cache-Control", "MaX-aGe=3600")], Cached),
    ("freshness-max-age-negative", &[("Cache-Control", "max-age=-3600")], Asked),
    ("freshness-s-maxage-shared", &[("Cache-Control", "s-maxage=3600")], Cached),
    ("freshness-max-age-s-maxage-shared-longer", &[("Cache-Control", "max-age=3600, s-maxage=0")], Asked),
    ("freshness-max-age-s-maxage-shared-longer-reversed", &[("Cache-Control", "s-maxage=0, max-age=3600")], Asked),
    ("freshness-max-age-s-maxage-shared-longer-multiple", &[("Cache-Control", "max-age=3600"), ("Cache-Control", "s-maxage=0")], Asked),
    ("freshness-max-age-s-maxage-shared-shorter", &[("Cache-Control", "max-age=0, s-maxage=3600")], Cached),
    ("freshness-max-age-s-maxage-shared-shorter-expires", &[("Cache-Control", "max-age=0, s-maxage=3600"), ("Expires", "{-10}")], Cached),
];

#[rustfmt::skip]
const PARSING: &[Case] = &[
    // The shortest of several, in whatever order.
    ("freshness-max-age-two-fresh-stale-sameline", &[("Cache-Control", "max-age=1800, max-age=0")], Asked),
    ("freshness-max-age-two-fresh-stale-sepline", &[("Cache-Control", "max-age=1800"), ("Cache-Control", "max-age=0")], Asked),
    ("freshness-max-age-two-stale-fresh-sameline", &[("Cache-Control", "max-age=0, max-age=1800")], Asked),
    ("freshness-max-age-two-stale-fresh-sepline", &[("Cache-Control", "max-age=0"), ("Cache-Control", "max-age=1800")], Asked),
    ("freshness-max-age-quoted", &[("Cache-Control", "max-age=\"3600\"")], Cached),
    ("freshness-max-age-ignore-quoted", &[("Cache-Control", "extension=\"max-age=3600\", max-age=0")], Asked),
    ("freshness-max-age-ignore-quoted-rev", &[("Cache-Control", "max-age=0, extension=\"max-age=3600\"")], Asked),
    ("no-store-in-a-quoted-string", &[("Cache-Control", "extension=\"a, no-store\\\", private\", max-age=60")], Cached),
    ("no-store-behind-a-string-without-end", &[("Cache-Control", "max-age=60, extension=\"a"), ("Cache-Control", "no-store")], Asked),
    ("freshness-max-age-space-before-equals", &[("Cache-Control", "max-age =3600")], Asked),
    ("freshness-max-age-space-after-equals", &[("Cache-Control", "max-age= 3600")], Asked),
    ("freshness-max-age-leading-zero", &[("Cache-Control", "max-age=003600")], Cached),
    ("freshness-max-age-single-quoted", &[("Cache-Control", "max-age='3600'")], Asked),
    ("freshness-max-age-decimal-zero", &[("Cache-Control", "max-age=3600.0")], Asked),
    ("freshness-max-age-decimal-five", &[("Cache-Control", "max-age=3600.5")], Asked),
    ("freshness-max-age-a100", &[("Cache-Control", "max-age=a3600")], Asked),
    ("freshness-max-age-100a", &[("Cache-Control", "max-age=3600a")], Asked),
    ("freshness-max-age-empty", &[("Cache-Control", "max-age=")], Asked),
    ("freshness-max-age-none", &[("Cache-Control", "max-age")], Asked),
    ("empty-items", &[("Cache-Control", ",, , max-age=60 ,"), ("Cache-Control", "")], Cached),
    ("age-parse-nonnumeric", &[("Cache-Control", "max-age=3600"), ("Age", "abc")], Cached),
    ("age-parse-negative", &[("Cache-Control", "max-age=3600"), ("Age", "-7200")], Cached),
    ("age-parse-float", &[("Cache-Control", "max-age=3600"), ("Age", "7200.0")], Cached),
    ("age-parse-large-minus-one", &[("Cache-Control", "max-age=3600"), ("Age", "2147483647")], Asked),
    ("age-parse-large", &[("Cache-Control", "max-age=3600"), ("Age", "2147483648")], Asked),
    ("age-parse-larger", &[("Cache-Control", "max-age=3600"), ("Age", "2147483649")], Asked),
    ("age-parse-overflow", &[("Cache-Control", "max-age=3600"), ("Age", "99999999999999999999999")], Asked),
    ("age-parse-suffix", &[("Cache-Control", "max-age=3600"), ("Age", "7200, 0")], Asked),
    ("age-parse-prefix", &[("Cache-Control", "max-age=3600"), ("Age", "0, 7200")], Cached),
    ("age-parse-suffix-twoline", &[("Cache-Control", "max-age=3600"), ("Age", "7200"), ("Age", "0")], Asked),
    ("age-parse-prefix-twoline", &[("Cache-Control", "max-age=3600"), ("Age", "0"), ("Age", "7200")], Cached),
    ("age-parse-dup-0", &[("Cache-Control", "max-age=3600"), ("Age", "0, 0")], Cached),
    ("age-parse-dup-0-twoline", &[("Cache-Control", "max-age=3600"), ("Age", "0"), ("Age", "0")], Cached),
    ("age-parse-dup-old", &[("Cache-Control", "max-age=10000"), ("Age", "3600"), ("Age", "3600")], Cached),
    ("age-parse-parameter", &[("Cache-Control", "max-age=3600"), ("Age", "7200;foo=bar")], Cached),
    ("age-parse-numeric-parameter", &[("Cache-Control", "max-age=3600"), ("Age", "7200;foo=111")], Cached),
];

#[rustfmt::skip]
const EXPIRES: &[Case] = &[
    ("freshness-expires-future", &[("Expires", "{+10000}"), ("Date", "{+0}")], Cached),
    ("freshness-expires-past", &[("Expires", "{-10000}"), ("Date", "{+0}")], Asked),
    ("freshness-expires-present", &[("Expires", "{+0}"), ("Date", "{+0}")], Asked),
    ("freshness-expires-old-date", &[("Expires", "{+300}"), ("Date", "{+400}")], Asked),
    ("freshness-expires-invalid", &[("Expires", "0"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-date", &[("Date", "foo"), ("Expires", "{+10000}")], Cached),
    ("freshness-expires-age-slow-date", &[("Date", "{-10}"), ("Expires", "{+10}"), ("Age", "25")], Asked),
    ("freshness-expires-age-fast-date", &[("Date", "{+10}"), ("Expires", "{+20}"), ("Age", "15")], Asked),
    ("freshness-expires-32bit", &[("Expires", "Tue, 19 Jan 2038 14:14:08 GMT"), ("Date", "{+0}")], Cached),
    ("freshness-expires-far-future", &[("Expires", "Sun, 21 Nov 2286 04:46:39 GMT"), ("Date", "{+0}")], Cached),
    ("freshness-expires-rfc850", &[("Expires", "Thursday, 18-Aug-50 02:01:18 GMT"), ("Date", "{+0}")], Cached),
    // That day is a Monday.
    ("freshness-expires-ansi-c", &[("Expires", "Thu Aug  8 02:01:18 2050"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-utc", &[("Expires", "Thu, 18 Aug 2050 02:01:18 UTC"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-aest", &[("Expires", "Thu, 18 Aug 2050 02:01:18 AEST"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-2-digit-year", &[("Expires", "Thu, 18 Aug 50 02:01:18 GMT"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-no-comma", &[("Expires", "Thu 18 Aug 2050 02:01:18 GMT"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-multiple-spaces", &[("Expires", "Thu, 18  Aug  2050 02:01:18 GMT"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-date-dashes", &[("Expires", "Thu, 18-Aug-2050 02:01:18 GMT"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-time-periods", &[("Expires", "Thu, 18 Aug 2050 02.01.18 GMT"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-1-digit-hour", &[("Expires", "Thu, 18 Aug 2050 2:01:18 GMT"), ("Date", "{+0}")], Asked),
    ("freshness-expires-invalid-multiple-lines", &[("Expires", "Thu, 18 Aug 2050 02:01:18 GMT"), ("Expires", "Thu, 18 Aug 2050 02:01:19 GMT"), ("Date", "{+0}")], Asked),
];

/// Functions with the resources of these cases.
pub async fn start() -> (RedisServer, Origin, Functions) {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    let setup = Functions::with(&redis).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    (redis, origin, functions)
}

/// A plan with these headers; each answer has another body.
pub fn plan(headers: &[(&'static str, &str)]) -> Plan {
    headers.iter().fold(Plan::default(), |plan, (name, value)| {
        let seconds = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(seconds) = seconds else { return plan.with(name, *value) };
        let seconds: i64 = seconds.parse().unwrap();
        let by = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        let date = if seconds < 0 { now - by } else { now + by };
        plan.with(name, httpdate::fmt_http_date(date))
    })
}

async fn check(cases: &[Case]) {
    let (_redis, origin, functions) = start().await;
    let mut wrong = Vec::new();
    for (name, headers, then) in cases {
        let target = format!("/{name}");
        origin.plan_for(&target, plan(headers));
        let read = async || functions.get(&format!("/cache/case{target}")).send().await;
        let (first, second) = (read().await.expect(200), read().await.expect(200));
        let asked = origin.count_of(&target);
        let is_same = first.text() == second.text();
        let is_right = match then {
            Cached => asked == 1 && is_same,
            Asked => asked == 2 && !is_same,
        };
        if !is_right {
            wrong.push(format!("{name}: asked {asked} times, the same: {is_same}"));
        }
        for answer in [&first, &second] {
            let control = answer.header("cache-control");
            let says = |word: &str| control.split(", ").any(|item| item == word);
            let is_kept = !says("no-store") && !says("no-cache");
            let age: u64 = answer.header("age").parse().unwrap();
            // What is not kept here must not be kept behind this, nor for longer than declared.
            let max_age = control.split("max-age=").nth(1).and_then(|rest| rest.split(',').next());
            let lasts = max_age.map_or(0, |seconds| seconds.parse::<u64>().unwrap());
            if is_kept != (*then == Cached) || lasts > 100 + age {
                wrong.push(format!("{name}: {control}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn response_directives() {
    check(RESPONSE_DIRECTIVES).await;
}

#[tokio::test]
async fn freshness() {
    check(FRESHNESS).await;
}

#[tokio::test]
async fn parsing() {
    check(PARSING).await;
}

#[tokio::test]
async fn expires() {
    check(EXPIRES).await;
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut names: Vec<_> = [RESPONSE_DIRECTIVES, FRESHNESS, PARSING, EXPIRES].concat();
    let count = names.len();
    names.sort_unstable_by_key(|case| case.0);
    names.dedup_by_key(|case| case.0);
    assert_eq!(names.len(), count);
}
