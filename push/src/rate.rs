//! A token bucket whose rate rises over 60 s. Pure: the time is an argument.

use std::time::{Duration, Instant};

use crate::limits::RAMP;

/// Pushes per second, at most.
#[derive(Clone, Debug)]
pub struct Rate {
    per_s: f64,
    /// Start of the ramp; `None` until something is asked for.
    started: Option<Instant>,
    counted: Instant,
    tokens: f64,
}

impl Rate {
    /// `per_s` of 0 counts as 1.
    #[must_use]
    pub fn new(per_s: u32, now: Instant) -> Self {
        Self { per_s: f64::from(per_s.max(1)), started: None, counted: now, tokens: 0.0 }
    }

    /// Begins the ramp again: after a hold, or when another rate is set.
    pub fn restart(&mut self) {
        self.started = None;
        self.tokens = 0.0;
    }

    /// Takes up to `wanted`; returns how many may be sent now, and the wait until one more may.
    pub fn take(&mut self, wanted: u32, now: Instant) -> (u32, Duration) {
        // Whoever sent nothing for the length of a ramp starts anew: the service has scaled down.
        if now.saturating_duration_since(self.counted) > RAMP {
            self.restart();
        }
        if self.started.is_none() {
            self.started = Some(now);
            self.counted = now;
            self.tokens = 1.0;
        }
        let started = self.started.unwrap_or(now);
        let at = |time: Instant| time.saturating_duration_since(started).as_secs_f64();
        let grown = self.total(at(now)) - self.total(at(self.counted.min(now)));
        self.counted = self.counted.max(now);
        // A second's worth at most, so that a pause of the worker is not followed by a burst.
        let burst = self.rate(at(now)).max(1.0);
        self.tokens = (self.tokens + grown).min(burst);
        let granted = self.tokens.floor().min(f64::from(wanted)).max(0.0);
        self.tokens -= granted;
        let wait = self.wait(at(now), (1.0 - self.tokens).max(0.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "≤ wanted")]
        (granted as u32, Duration::from_secs_f64(wait))
    }

    /// Seconds until `missing` more may be sent, `seconds` after the start.
    fn wait(&self, seconds: f64, missing: f64) -> f64 {
        let ramp = RAMP.as_secs_f64();
        let total = self.total(seconds) + missing;
        let at_top = self.total(ramp);
        let then = match total <= at_top {
            true => (2.0 * ramp * total / self.per_s).sqrt(),
            false => ramp + (total - at_top) / self.per_s,
        };
        (then - seconds).max(0.0)
    }

    /// Pushes per second, `seconds` after the start.
    fn rate(&self, seconds: f64) -> f64 {
        self.per_s * (seconds / RAMP.as_secs_f64()).min(1.0)
    }

    /// Pushes granted up to `seconds` after the start: the area under the ramp.
    fn total(&self, seconds: f64) -> f64 {
        let ramp = RAMP.as_secs_f64();
        let rising = seconds.min(ramp);
        self.per_s * (rising * rising / (2.0 * ramp) + (seconds - rising))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_rate_rises_over_a_minute_and_then_holds() {
        let start = Instant::now();
        let mut rate = Rate::new(600, start);
        let mut per_second = Vec::new();
        for second in 0..90_u64 {
            let mut sent = 0;
            for tick in 0..100 {
                sent += rate.take(1000, start + ms(second * 1000 + tick * 10)).0;
            }
            per_second.push(sent);
        }
        assert!(per_second[0] <= 8, "{per_second:?}");
        assert!((290..=310).contains(&per_second[30]), "{per_second:?}");
        assert!(per_second[61..].iter().all(|n| (599..=601).contains(n)), "{per_second:?}");
        let ramp: u32 = per_second[..60].iter().sum();
        assert!((17_900..=18_100).contains(&ramp), "half of the full rate: {ramp}");
    }

    #[test]
    fn a_pause_is_followed_by_a_second_s_worth_at_most_and_a_long_one_by_a_ramp() {
        let start = Instant::now();
        let mut rate = Rate::new(100, start);
        for tick in 0..120 {
            rate.take(1000, start + ms(tick * 1000));
        }
        assert_eq!(rate.take(1000, start + ms(119_000 + 40_000)).0, 100);
        assert_eq!(rate.take(1000, start + ms(119_000 + 40_000 + 61_000)).0, 1);
    }

    #[test]
    fn one_may_be_sent_after_the_wait() {
        let start = Instant::now();
        let mut rate = Rate::new(5, start);
        let (mut now, mut sent) = (start, 0);
        for _ in 0..400 {
            let (granted, wait) = rate.take(1, now);
            sent += granted;
            assert!(wait <= ms(5000), "{wait:?}");
            now += wait + ms(1);
            assert!(granted == 1, "after the wait");
        }
        assert_eq!(sent, 400);
    }

    proptest! {
        #[test]
        fn never_faster_than_the_rate(
            per_s in 1_u32..10_000,
            steps in prop::collection::vec((0_u64..3000, 0_u32..5000), 1..200),
        ) {
            let start = Instant::now();
            let mut rate = Rate::new(per_s, start);
            let (mut now, mut total) = (start, 0_u64);
            for (wait, wanted) in steps {
                now += ms(wait);
                let (granted, _) = rate.take(wanted, now);
                prop_assert!(granted <= wanted);
                total += u64::from(granted);
                let elapsed = (now - start).as_secs_f64();
                prop_assert!(total as f64 <= f64::from(per_s) * elapsed + 1.0 + 1e-6);
            }
        }
    }
}
