//! RFC 3339 in UTC with milliseconds: fixed width, so that texts sort like the times.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `2026-11-21T22:29:00.123Z` for milliseconds since the Unix epoch; years beyond 9999 are clamped.
pub fn rfc3339(unix_ms: i64) -> String {
    const YEAR_9999_END_MS: i64 = 253_402_300_799_999;
    let ms = unix_ms.clamp(0, YEAR_9999_END_MS);
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, milli) = at.to_hms_milli();
    format!(
        "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z",
        u8::from(month)
    )
}

/// Milliseconds since the Unix epoch of an RFC 3339 time with any offset; finer parts are dropped.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_300_140_007), "2026-11-21T22:29:00.007Z");
        assert_eq!(parse_rfc3339("2026-11-21T23:29:00.0079+01:00"), Some(1_795_300_140_007));
        assert_eq!(parse_rfc3339("2026-11-21"), None);
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_offset_outside_the_calendar_does_not_panic() {
        for text in
            ["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+23:59"]
        {
            let _ = parse_rfc3339(text);
        }
        assert_eq!(parse_rfc3339("9999-12-31T23:59:59-00:01"), Some(253_402_300_859_000));
    }
}
