//! When a push is attempted again, and when no more. No clock: ages are arguments.

use std::time::Duration;

use crate::limits::{ATTEMPTS_MAX, RETRY_FOR, RETRY_MIN};

/// The next step of a push that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Wait(Duration),
    Dead(Dead),
}

/// Why a push is given up. It can be put back by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    Attempts,
    /// The next attempt would be after the TTL, or more than an hour after the push was due.
    Expired,
}

/// A push as the schedule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Attempts made so far that count, this one included.
    pub attempts: u32,
    /// Time since the push was due.
    pub age: Duration,
    pub ttl: Duration,
}

impl Due {
    /// After [`crate::outcome::Outcome::Retry`]: 10 s, doubling with each attempt, up to half as
    /// long again by `jitter` (0 to 1), at least `after`.
    #[must_use]
    pub fn after_failure(self, after: Option<Duration>, jitter: f64) -> Step {
        if self.attempts >= ATTEMPTS_MAX {
            return Step::Dead(Dead::Attempts);
        }
        let doublings = self.attempts.saturating_sub(1).min(ATTEMPTS_MAX);
        let wait = RETRY_MIN * 2_u32.pow(doublings);
        self.wait(wait.max(after.unwrap_or_default()), jitter)
    }

    /// After [`crate::outcome::Outcome::Hold`], which is not an attempt. The jitter spreads those
    /// that waited for the same hold.
    #[must_use]
    pub fn after_hold(self, wait: Duration, jitter: f64) -> Step {
        self.wait(wait, jitter * 0.2)
    }

    fn wait(self, wait: Duration, jitter: f64) -> Step {
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
        let wait = wait.mul_f64(1.0 + jitter / 2.0);
        if self.age.saturating_add(wait) >= self.ttl.min(RETRY_FOR) {
            return Step::Dead(Dead::Expired);
        }
        Step::Wait(wait)
    }
}

/// The TTL that is left for a service after a wait, in whole seconds.
#[must_use]
pub fn ttl_left_s(ttl: Duration, age: Duration) -> u64 {
    ttl.saturating_sub(age).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waits_double_and_the_fifth_failure_is_the_last() {
        let mut waits = Vec::new();
        let (mut age, mut attempts) = (Duration::ZERO, 1);
        loop {
            match (Due { attempts, age, ttl: DAY }).after_failure(None, 0.0) {
                Step::Wait(wait) => {
                    waits.push(wait.as_secs());
                    age += wait;
                    attempts += 1;
                }
                Step::Dead(dead) => {
                    assert_eq!(dead, Dead::Attempts);
                    break;
                }
            }
        }
        assert_eq!(waits, [10, 20, 40, 80]);
    }

    #[test]
    fn retry_after_prolongs_a_wait_and_never_shortens_it() {
        let due = Due { attempts: 1, age: s(0), ttl: DAY };
        assert_eq!(due.after_failure(Some(s(90)), 0.0), Step::Wait(s(90)));
        assert_eq!(due.after_failure(Some(s(1)), 0.0), Step::Wait(s(10)));
    }

    #[test]
    fn nothing_is_attempted_after_the_ttl_or_after_an_hour() {
        let due = Due { attempts: 1, age: s(0), ttl: s(10) };
        assert_eq!(due.after_failure(None, 0.0), Step::Dead(Dead::Expired));
        let due = Due { attempts: 1, age: s(3585), ttl: DAY };
        assert!(matches!(due.after_failure(None, 0.0), Step::Wait(_)));
        assert_eq!(due.after_hold(s(60), 0.0), Step::Dead(Dead::Expired));
        assert_eq!(ttl_left_s(s(60), s(20)), 40);
        assert_eq!(ttl_left_s(s(60), s(90)), 0);
    }

    proptest! {
        #[test]
        fn every_wait_is_within_its_bounds(
            attempts in 0_u32..10, age in 0_u64..10_000, ttl in 0_u64..100_000,
            after in proptest::option::of(0_u64..5000), jitter in -1.0_f64..2.0,
        ) {
            let due = Due { attempts, age: s(age), ttl: s(ttl) };
            match due.after_failure(after.map(s), jitter) {
                Step::Wait(wait) => {
                    prop_assert!(wait >= RETRY_MIN && wait >= s(after.unwrap_or(0)));
                    prop_assert!(s(age) + wait < s(ttl).min(RETRY_FOR));
                    prop_assert!(attempts < ATTEMPTS_MAX);
                }
                Step::Dead(Dead::Attempts) => prop_assert!(attempts >= ATTEMPTS_MAX),
                Step::Dead(Dead::Expired) => {}
            }
        }
    }
}
