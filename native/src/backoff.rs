//! Waits between attempts: exponential, with jitter, so that many processes do not retry
//! in step.

use std::time::Duration;

use crate::limits::{REDIS_BACKOFF_MAX, REDIS_BACKOFF_MIN};

/// The waits for one thing that fails.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: REDIS_BACKOFF_MIN }
    }
}

impl Backoff {
    /// It succeeded: the next failure is a first one.
    pub fn reset(&mut self) {
        self.next = REDIS_BACKOFF_MIN;
    }

    /// The next wait, between half of the current step and all of it; the step doubles up to the
    /// maximum.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(REDIS_BACKOFF_MAX);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_maximum_and_starts_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] <= REDIS_BACKOFF_MIN);
        assert!(waits.iter().all(|wait| *wait <= REDIS_BACKOFF_MAX));
        assert!(waits[19] >= REDIS_BACKOFF_MAX / 2);
        backoff.reset();
        assert!(backoff.next_wait() <= REDIS_BACKOFF_MIN);
    }
}
