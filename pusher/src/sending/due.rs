//! When a push that was not accepted is tried again.

use std::time::Duration;

use push::outcome::Reason;
use push::schedule::{Dead, Step, ttl_left_s};

use super::Fate;

/// A push as the schedule sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// Attempts that count, this one included.
    pub(crate) attempts: u32,
    /// Time since the push was asked for.
    pub(crate) age: Duration,
    pub(crate) ttl: Duration,
}

impl Due {
    /// Whether its time is over.
    pub(crate) fn is_expired(&self) -> bool {
        // A TTL of 0 says: at once or never, and this is at once.
        !self.ttl.is_zero() && self.age >= self.ttl
    }

    /// The TTL that is left for the service.
    pub(crate) fn ttl_left_s(&self) -> u64 {
        ttl_left_s(self.ttl, self.age)
    }

    /// Whether the push can wait for so long.
    pub(crate) fn can_wait(&self, wait: Duration) -> bool {
        self.age.saturating_add(wait) < self.ttl
    }

    /// Counted from now: a push may have waited for quiet hours before its first attempt. The
    /// number of attempts bounds the whole.
    pub(super) fn after_failure(self, reason: Reason, after: Option<Duration>) -> Fate {
        let ttl = self.ttl.saturating_sub(self.age);
        let due = push::schedule::Due { attempts: self.attempts, age: Duration::ZERO, ttl };
        match due.after_failure(after, fastrand::f64()) {
            Step::Wait(wait) => Fate::Later { wait, is_counted: true, reason },
            Step::Dead(Dead::Attempts) => Fate::Dead(reason),
            Step::Dead(Dead::Expired) => Fate::Dead("expired"),
        }
    }

    /// A hold is not an attempt, so only the TTL bounds it.
    pub(super) fn after_hold(self, reason: Reason, wait: Duration) -> Fate {
        let wait = wait.mul_f64(1.0 + fastrand::f64() * 0.1);
        match self.can_wait(wait) {
            true => Fate::Later { wait, is_counted: false, reason },
            false => Fate::Dead("expired"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn failures_count_and_holds_do_not() {
        let due = Due { attempts: 1, age: s(7200), ttl: s(86_400) };
        let Fate::Later { wait, is_counted: true, .. } = due.after_failure("timeout", None) else {
            panic!("not later");
        };
        assert!((s(10)..=s(15)).contains(&wait), "{wait:?}");
        let hold = due.after_hold("quota", s(3600));
        assert!(matches!(hold, Fate::Later { is_counted: false, .. }), "{hold:?}");
        let last = Due { attempts: 5, ..due };
        assert_eq!(last.after_failure("timeout", None), Fate::Dead("timeout"));
        assert!(matches!(last.after_hold("quota", s(60)), Fate::Later { .. }));
    }

    #[test]
    fn nothing_waits_beyond_its_ttl() {
        let due = Due { attempts: 1, age: s(55), ttl: s(60) };
        assert_eq!(due.after_failure("timeout", None), Fate::Dead("expired"));
        assert_eq!(due.after_hold("quota", s(10)), Fate::Dead("expired"));
        assert!(!due.is_expired() && Due { age: s(60), ..due }.is_expired());
        assert_eq!(due.ttl_left_s(), 5);
        let at_once = Due { attempts: 1, age: s(1), ttl: s(0) };
        assert!(!at_once.is_expired());
        assert_eq!(at_once.after_failure("timeout", None), Fate::Dead("expired"));
    }
}
