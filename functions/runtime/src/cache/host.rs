//! The environment of a cache.

use std::pin::Pin;
use std::time::Duration;

/// Background work: a future that runs on after the response.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Clock, randomness and background work. Components use
/// [`SpinHost`](crate::spin::cache_host::SpinHost).
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Host: Clone + 'static {
    /// Monotonic milliseconds, for durations only: freshness is measured with the clock of Redis.
    fn now_ms(&self) -> i64;

    /// Waits for `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static;

    /// 64 random bits. They become cache lease tokens, so they must not repeat.
    fn random(&self) -> u64;

    /// Runs `work` in the background. It may be lost at any moment.
    fn spawn(&self, work: Work);
}

/// A number in (0, 1] from 64 random bits.
pub(super) fn unit(random: u64) -> f64 {
    const BITS: u32 = 53;
    ((random >> (u64::BITS - BITS)) + 1) as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::unit;

    #[test]
    fn the_unit_interval_is_open_at_zero() {
        assert!(unit(0) > 0.0 && unit(0) < 1e-15);
        assert_eq!(unit(u64::MAX), 1.0);
    }
}
