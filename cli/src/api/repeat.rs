//! Whether and when a call is sent again.

use std::time::Duration;

use tokio::time::Instant;

use super::Repeat;
use crate::limits::{PAUSE_MAX, PAUSE_MIN};

/// The attempts of one call.
#[derive(Debug)]
pub struct Attempts {
    repeat: Repeat,
    deadline: Instant,
    made: u32,
}

/// Why an attempt did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody listens there.
    Refused,
    /// The connection broke, or there was no answer in time.
    NoAnswer,
    /// An answer with this status, and the time that it asks for.
    Status(u16, Option<Duration>),
}

impl Attempts {
    pub fn new(repeat: Repeat, timeout: Duration, now: Instant) -> Self {
        Self { repeat, deadline: now + repeat.deadline(timeout), made: 0 }
    }

    /// The time for the next attempt.
    pub fn time_left(&self, timeout: Duration, now: Instant) -> Duration {
        timeout.min(self.deadline.saturating_duration_since(now))
    }

    /// The pause before the next attempt; `None` if there is none. `random` is between 0 and 1.
    pub fn next(&mut self, cause: Cause, now: Instant, random: f64) -> Option<Duration> {
        self.made += 1;
        let helps = match cause {
            // Somebody who waits for a command learns at once that nothing runs there.
            Cause::Refused => self.repeat == Repeat::Long,
            Cause::NoAnswer => true,
            Cause::Status(429 | 500.., _) => true,
            Cause::Status(..) => false,
        };
        if !helps || self.made >= self.repeat.attempts_max() {
            return None;
        }
        let step = PAUSE_MIN.saturating_mul(1 << (self.made - 1).min(16)).min(PAUSE_MAX);
        let own = step.mul_f64(0.5 + random / 2.0);
        let pause = match cause {
            Cause::Status(_, Some(asked)) => asked.max(own),
            _ => own,
        };
        (now + pause < self.deadline).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn only_what_may_be_repeated_is_and_not_for_ever() {
        let now = Instant::now();
        let mut never = Attempts::new(Repeat::Never, TIMEOUT, now);
        assert_eq!(never.next(Cause::Status(503, None), now, 0.0), None);
        let mut some = Attempts::new(Repeat::Some, TIMEOUT, now);
        let count = (0..100).take_while(|_| some.next(Cause::NoAnswer, now, 1.0).is_some()).count();
        assert_eq!(count, 3);
        let mut some = Attempts::new(Repeat::Some, TIMEOUT, now);
        assert_eq!(some.next(Cause::Refused, now, 1.0), None);
        assert_eq!(some.next(Cause::Status(404, None), now, 1.0), None);
        let mut long = Attempts::new(Repeat::Long, TIMEOUT, now);
        assert!(long.next(Cause::Refused, now, 1.0).is_some());
    }

    #[test]
    fn retry_after_is_honoured_within_the_deadline() {
        let now = Instant::now();
        let mut some = Attempts::new(Repeat::Some, TIMEOUT, now);
        let two = Duration::from_secs(2);
        assert_eq!(some.next(Cause::Status(503, Some(two)), now, 0.0), Some(two));
        let late = Cause::Status(503, Some(Duration::from_secs(31)));
        assert_eq!(some.next(late, now, 0.0), None);
        assert_eq!(some.time_left(TIMEOUT, now + Duration::from_secs(25)), Duration::from_secs(5));
    }
}
