//! The header Retry-After: seconds or a date.

use std::time::{Duration, SystemTime};

use crate::limits::RETRY_AFTER_MAX;

/// The wait that the header asks for, at most an hour. `None` if it is invalid or in the past.
#[must_use]
pub fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than u64 holds is a long wait, too.
        let seconds = text.parse::<u64>().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let wait = httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?;
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let is = |text: &str, seconds: Option<u64>| {
            assert_eq!(parse(text.as_bytes(), now), seconds.map(Duration::from_secs), "{text}");
        };
        is("120", Some(120));
        is(" 0 ", Some(0));
        is("Sun, 06 Nov 1994 08:49:37 GMT", Some(30));
        is("99999", Some(3600));
        is("99999999999999999999999", Some(3600));
        is("Sun, 06 Nov 1994 08:00:00 GMT", None);
        for invalid in ["", "-1", "1.5", "soon", "1e3"] {
            is(invalid, None);
        }
        assert_eq!(parse(b"\xff", now), None);
    }
}
