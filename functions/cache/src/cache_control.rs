//! What an origin says about the freshness of its answer (RFC 9111 §4.2, for a shared cache).

use std::time::Duration;

/// How long an answer may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It says nothing.
    Silent,
    /// Not at all.
    NoStore,
    /// For this time, counted from when it came.
    Fresh(Duration),
}

/// Longest time taken over; the windows are bounded, too.
const FRESH_MAX_S: u64 = 15 * 24 * 3600;

/// Reads `Cache-Control` and `Age`. `private` matters where the resource is served to everybody.
pub fn verdict(cache_control: &str, age: &str, is_public: bool) -> Verdict {
    let (mut max_age, mut shared_max_age) = (None, None);
    for directive in cache_control.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let seconds = || value.trim().trim_matches('"').parse::<u64>().unwrap_or(0);
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Verdict::NoStore,
            "private" if is_public => return Verdict::NoStore,
            "max-age" => max_age = Some(seconds()),
            "s-maxage" => shared_max_age = Some(seconds()),
            _ => {}
        }
    }
    let Some(seconds) = shared_max_age.or(max_age) else { return Verdict::Silent };
    match seconds.saturating_sub(age_s(age)).min(FRESH_MAX_S) {
        // Whoever served it stale would not do what the origin asks for.
        0 => Verdict::NoStore,
        left => Verdict::Fresh(Duration::from_secs(left)),
    }
}

/// `Age` in seconds; 0 for what is no number.
pub fn age_s(age: &str) -> u64 {
    age.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_matters() {
        let fresh = |s| Verdict::Fresh(Duration::from_secs(s));
        assert_eq!(verdict("", "", true), Verdict::Silent);
        assert_eq!(verdict("public, must-revalidate", "5", true), Verdict::Silent);
        assert_eq!(verdict("max-age=60", "", true), fresh(60));
        assert_eq!(verdict("Max-Age=\"60\" , S-MaxAge=90", "20", true), fresh(70));
        assert_eq!(verdict("max-age=60", "60", true), Verdict::NoStore);
        assert_eq!(verdict("max-age=x", "", true), Verdict::NoStore);
        assert_eq!(verdict("max-age=60, no-store", "", true), Verdict::NoStore);
        assert_eq!(verdict("private, max-age=60", "", true), Verdict::NoStore);
        assert_eq!(verdict("private, max-age=60", "", false), fresh(60));
        assert_eq!(verdict("max-age=99999999999", "", true), fresh(FRESH_MAX_S));
    }
}
