//! Quiet hours: a daily span in the user's own time zone, in which pushes wait.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;

/// From a time of day up to another one, which may be on the next day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuietHours {
    /// `22:00`.
    pub(crate) from: String,
    pub(crate) to: String,
    /// An IANA name.
    pub(crate) time_zone: String,
}

impl QuietHours {
    /// The time until they end; `None` outside of them, and if they are invalid: the functions
    /// check them, and a push is better than silence for ever.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let local = now.to_zoned_datetime(zone.clone());
        let is_in = match from < to {
            true => (from..to).contains(&local.time()),
            // Over midnight; the whole day if both are equal would be for ever, so that is never.
            false => from != to && (local.time() >= from || local.time() < to),
        };
        if !is_in {
            return None;
        }
        let day = match local.time() < to {
            true => local.date(),
            false => local.date().checked_add(1.day()).ok()?,
        };
        // A time that the clocks skip is the one after the gap; of one that comes twice, the first.
        let end = day.to_datetime(to).to_zoned_datetime(zone).ok()?;
        let wait = end.timestamp().as_millisecond().saturating_sub(now.as_millisecond());
        // In a repeated hour the end may be over: the push goes out.
        u64::try_from(wait).ok().filter(|wait| *wait > 0).map(Duration::from_millis)
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wait(from: &str, to: &str, zone: &str, now: &str) -> Option<u64> {
        let hours =
            QuietHours { from: from.to_owned(), to: to.to_owned(), time_zone: zone.to_owned() };
        hours.wait(now.parse().unwrap()).map(|wait| wait.as_secs() / 60)
    }

    #[test]
    fn a_push_waits_until_they_end_in_the_user_s_zone() {
        let of = |now| wait("22:00", "07:00", "Europe/Berlin", now);
        assert_eq!(of("2026-01-10T20:59:00Z"), None);
        assert_eq!(of("2026-01-10T21:00:00Z"), Some(9 * 60));
        assert_eq!(of("2026-01-11T05:30:00Z"), Some(30));
        assert_eq!(of("2026-01-11T06:00:00Z"), None);
        let noon = |now| wait("12:00", "14:00", "Asia/Kathmandu", now);
        assert_eq!(noon("2026-01-10T07:00:00Z"), Some(75), "UTC+5:45");
        assert_eq!(noon("2026-01-10T08:15:00Z"), None);
    }

    #[test]
    fn clocks_that_change_do_not_prolong_them() {
        // Berlin's clocks skip 02:00 to 03:00 on 29 March 2026, and repeat it on 25 October.
        assert_eq!(wait("22:00", "02:30", "Europe/Berlin", "2026-03-29T00:30:00Z"), Some(60));
        assert_eq!(wait("22:00", "07:00", "Europe/Berlin", "2026-03-28T22:00:00Z"), Some(7 * 60));
        assert_eq!(wait("22:00", "07:00", "Europe/Berlin", "2026-10-24T21:00:00Z"), Some(9 * 60));
        assert_eq!(wait("22:00", "02:30", "Europe/Berlin", "2026-10-25T01:15:00Z"), None);
    }

    #[test]
    fn invalid_ones_delay_nothing() {
        for (from, to, zone) in [
            ("22:00", "22:00", "UTC"),
            ("22", "07:00", "UTC"),
            ("24:00", "07:00", "UTC"),
            ("22:00", "07:00", "Mars/Olympus"),
        ] {
            assert_eq!(wait(from, to, zone, "2026-01-10T23:00:00Z"), None, "{from} {to} {zone}");
        }
    }

    proptest! {
        /// They begin after the hours in which clocks change: an end that the clocks skip would
        /// otherwise be a beginning.
        #[test]
        fn they_are_over_when_the_wait_is(
            now in 1_700_000_000_i64..1_900_000_000, from in 4_u8..24, to in 0_u8..24,
            zone in prop::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe"]),
        ) {
            let hours = QuietHours {
                from: format!("{from:02}:00"), to: format!("{to:02}:00"), time_zone: zone.to_owned(),
            };
            let now = Timestamp::from_second(now).unwrap();
            if let Some(wait) = hours.wait(now) {
                prop_assert!(wait <= Duration::from_secs(25 * 3600));
                let then = now.checked_add(jiff::SignedDuration::try_from(wait).unwrap()).unwrap();
                prop_assert_eq!(hours.wait(then), None);
            }
        }
    }
}
