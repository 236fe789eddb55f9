//! Decides when to call the relay next; no I/O.
//!
//! The usual interval is 30 s. After a sign that Redis was unreachable or replaced, calls follow
//! each other quickly: the functions may reach Redis later than the hub does, may still hold a
//! connection to a former primary, or may have sent only some of the pending notifications.

use std::time::Duration;

use native::backoff::Backoff;
use tokio::time::Instant;

use crate::limits::{RELAY_FINAL_AFTER, RELAY_INTERVAL, RELAY_RETRIES_FOR};

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The number of users with unsent notifications.
    Held(u64),
    /// The same call may succeed soon.
    Failed,
    /// The configuration is wrong: only the operator can fix it.
    Refused,
}

/// The state of the schedule; see the module.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// The last sign, until it has been dealt with.
    sign: Option<Instant>,
    /// Every user on this hub was compared with their feed since that sign.
    is_rechecked: bool,
    backoff: Backoff,
}

/// The next step after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) wait: Duration,
    /// Every user on this hub is to be compared with their feed: an entry may have been sent
    /// without a publication, because a reader had already loaded it into Redis.
    pub(crate) recheck: bool,
}

impl Schedule {
    /// Redis is back, or was replaced.
    pub(crate) fn sign(&mut self, now: Instant) {
        self.sign = Some(now);
        self.is_rechecked = false;
        self.backoff.reset();
    }

    /// Records the end of a call that began at `began`.
    pub(crate) fn called(&mut self, outcome: Outcome, began: Instant, now: Instant) -> Next {
        // Jitter, so that a fleet of hubs does not call at once.
        let usual = RELAY_INTERVAL.mul_f64(0.8 + 0.4 * fastrand::f64());
        let Some(sign) = self.sign.filter(|_| outcome != Outcome::Refused) else {
            return Next { wait: usual, recheck: false };
        };
        let is_final = began >= sign + RELAY_FINAL_AFTER;
        let recheck = is_final && outcome != Outcome::Failed && !self.is_rechecked;
        self.is_rechecked |= recheck;
        let is_done = is_final && outcome == Outcome::Held(0);
        let is_over = now >= sign + RELAY_RETRIES_FOR;
        if is_done || (is_over && outcome != Outcome::Failed) {
            self.sign = None;
        }
        let wait = match outcome {
            _ if is_done || is_over => usual,
            Outcome::Held(0) => (sign + RELAY_FINAL_AFTER).saturating_duration_since(now),
            _ => self.backoff.next_wait(),
        };
        Next { wait, recheck }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn is_usual(next: Next) -> bool {
        next.wait >= RELAY_INTERVAL.mul_f64(0.8)
    }

    #[test]
    fn without_a_sign_it_is_called_now_and_then_whatever_the_outcome() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        for outcome in [Outcome::Held(0), Outcome::Held(5), Outcome::Failed, Outcome::Refused] {
            let next = schedule.called(outcome, now, now);
            assert!(is_usual(next) && !next.recheck, "{outcome:?}: {next:?}");
        }
    }

    #[test]
    fn a_sign_is_followed_until_everything_is_sent_and_then_confirmed_once() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.sign(start);
        let mut now = start;
        for outcome in [Outcome::Failed, Outcome::Held(5), Outcome::Held(1)] {
            let next = schedule.called(outcome, now, now + TICK);
            assert!(next.wait < RELAY_FINAL_AFTER && !next.recheck, "{outcome:?}: {next:?}");
            now += TICK + next.wait;
        }
        // Soon after the sign, "nothing pending" is not final: the functions may have asked the
        // former Redis.
        let next = schedule.called(Outcome::Held(0), now, now + TICK);
        assert!(!next.recheck && now + TICK + next.wait >= start + RELAY_FINAL_AFTER, "{next:?}");
        now += TICK + next.wait;
        let next = schedule.called(Outcome::Held(0), now, now + TICK);
        assert!(is_usual(next) && next.recheck, "{next:?}");
        let next = schedule.called(Outcome::Held(0), now, now + TICK);
        assert!(is_usual(next) && !next.recheck, "{next:?}");
    }

    #[test]
    fn hurry_has_an_end_and_everyone_is_compared_once() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.sign(start);
        let (mut now, mut calls, mut rechecks) = (start, 0, 0);
        while now < start + RELAY_RETRIES_FOR {
            // Steady traffic: there is always something pending.
            let next = schedule.called(Outcome::Held(3), now, now + TICK);
            now += TICK + next.wait;
            calls += 1;
            rechecks += u32::from(next.recheck);
        }
        assert!((10..100).contains(&calls), "{calls}");
        assert_eq!(rechecks, 1);
        assert!(is_usual(schedule.called(Outcome::Held(3), now, now)));
    }

    #[test]
    fn functions_that_are_away_for_long_are_asked_less_and_the_sign_is_kept() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.sign(start);
        let late = start + RELAY_RETRIES_FOR;
        let next = schedule.called(Outcome::Failed, late, late);
        assert!(is_usual(next) && !next.recheck, "{next:?}");
        assert!(schedule.called(Outcome::Held(0), late, late).recheck);
    }
}
