//! Trips when an unlikely share of answers within a minute is bad: more than 20 %, and at least 30.
//!
//! One guard counts dead addresses: a wrong project or a service's own mistake makes many addresses
//! look dead at once, and removing them would be irreversible. Another one counts mismatches between
//! credential and address, of which a client can cause a few and only a wrong credential many.

use std::time::{Duration, Instant};

use crate::limits::{GUARD_BAD_MIN, GUARD_PERCENT_MAX, GUARD_WINDOW};

const SLICES: usize = 12;

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    number: u64,
    all: u64,
    bad: u64,
}

/// Counts the answers of the last minute.
#[derive(Clone, Debug)]
pub struct Guard {
    start: Instant,
    slices: [Slice; SLICES],
    is_tripped: bool,
}

impl Guard {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { start: now, slices: [Slice::default(); SLICES], is_tripped: false }
    }

    /// Counts an answer, and says whether a bad one may be acted on. Only answers that say something
    /// about the address count: not retries, holds and stops.
    pub fn count(&mut self, is_bad: bool, now: Instant) -> bool {
        let length = GUARD_WINDOW.as_millis() as u64 / SLICES as u64;
        let elapsed = now.saturating_duration_since(self.start).min(Duration::from_secs(1 << 40));
        let number = elapsed.as_millis() as u64 / length;
        if let Some(slice) = self.slices.get_mut((number % SLICES as u64) as usize) {
            if slice.number != number {
                *slice = Slice { number, all: 0, bad: 0 };
            }
            slice.all += 1;
            slice.bad += u64::from(is_bad);
        }
        let recent = self.slices.iter().filter(|s| s.number + SLICES as u64 > number);
        let (all, bad) = recent.fold((0, 0), |(all, bad), s| (all + s.all, bad + s.bad));
        self.is_tripped |= bad >= GUARD_BAD_MIN && bad * 100 > all * GUARD_PERCENT_MAX;
        !self.is_tripped
    }

    /// Stays so until [`Guard::reset`]: an operator has to look.
    #[must_use]
    pub fn is_tripped(&self) -> bool {
        self.is_tripped
    }

    pub fn reset(&mut self, now: Instant) {
        *self = Self::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fifth_of_dead_addresses_is_pruned_and_more_is_not() {
        let now = Instant::now();
        let mut guard = Guard::new(now);
        for i in 0..10_000 {
            assert!(guard.count(i % 5 == 4, now), "{i}");
        }
        let mut guard = Guard::new(now);
        let pruned = (0..10_000)
            .filter(|i| {
                i % 4 == 3 && guard.count(true, now) || i % 4 != 3 && !guard.count(false, now)
            })
            .count();
        assert!(pruned < 10_000 && guard.is_tripped());
    }

    #[test]
    fn when_everything_is_dead_29_are_pruned_at_most() {
        let now = Instant::now();
        let mut guard = Guard::new(now);
        let pruned = (0..1000).filter(|_| guard.count(true, now)).count();
        assert_eq!(pruned, 29);
        guard.reset(now);
        assert!(guard.count(true, now));
    }

    #[test]
    fn a_few_dead_addresses_trip_nothing_and_old_answers_are_forgotten() {
        let start = Instant::now();
        let mut guard = Guard::new(start);
        for minute in 0..100 {
            // Two users with all their devices, and some others.
            for _ in 0..29 {
                assert!(guard.count(true, start + Duration::from_secs(61 * minute)));
            }
        }
        assert!(!guard.is_tripped());
    }

    proptest! {
        #[test]
        fn at_most_a_fifth_of_a_minute_is_pruned(bad in prop::collection::vec(any::<bool>(), 1..500)) {
            let now = Instant::now();
            let mut guard = Guard::new(now);
            let mut pruned = 0;
            for (i, bad) in bad.iter().enumerate() {
                let may = guard.count(*bad, now);
                pruned += usize::from(*bad && may);
                prop_assert!(pruned <= 29 || pruned * 5 <= i + 1);
            }
        }
    }
}
