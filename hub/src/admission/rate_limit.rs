//! Token buckets: a single one, and one per key in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// A rate per second after a burst. Neither is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_s: u32,
    pub burst: u32,
}

impl Rate {
    /// Time per token once the burst is used up.
    const fn interval(self) -> Duration {
        Duration::from_nanos(1_000_000_000 / if self.per_s == 0 { 1 } else { self.per_s as u64 })
    }
}

/// A token bucket, stored as the time when it is full again (the generic cell rate algorithm, ITU-T
/// I.371): half the memory of a count with a time, and there are many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes a token; false if none is left.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let interval = rate.interval();
        let full_at = self.full_at.max(now) + interval;
        let is_left = full_at - now <= interval * rate.burst;
        if is_left {
            self.full_at = full_at;
        }
        is_left
    }

    /// Whether the bucket is full.
    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// Keys stored before the first search for full buckets.
const PRUNE_MIN: usize = 1024;

/// A bucket per key. Full buckets are dropped, so the map holds the keys used within the time that
/// a bucket takes to fill, and at most as many again before the next search.
#[derive(Debug)]
pub(crate) struct Rates {
    rate: Rate,
    hasher: RandomState,
    /// By a keyed hash of the key: keys that collide share a bucket, collisions cannot be provoked,
    /// and an entry has the same size whatever the key is.
    buckets: HashMap<u64, Bucket>,
    prune_at: usize,
}

impl Rates {
    pub(crate) fn new(rate: Rate) -> Self {
        let hasher = RandomState::new();
        Self { rate, hasher, buckets: HashMap::new(), prune_at: PRUNE_MIN }
    }

    /// Takes a token of `key`; false if none is left.
    pub(crate) fn take(&mut self, key: impl Hash, now: Instant) -> bool {
        if self.buckets.len() >= self.prune_at {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            // Twice the number in use, so that the cost of a search per new key is constant.
            self.prune_at = (2 * self.buckets.len()).max(PRUNE_MIN);
            self.buckets.shrink_to(self.prune_at);
        }
        let key = self.hasher.hash_one(key);
        self.buckets.entry(key).or_insert_with(|| Bucket::new(now)).take(self.rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_s: 5, burst: 30 };

    #[test]
    fn allows_a_burst_and_then_a_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let mut taken = |now| (0..1000).take_while(|_| bucket.take(RATE, now)).count();
        assert_eq!(taken(start), 30);
        assert_eq!(taken(start + Duration::from_secs(1)), 5);
        assert_eq!(taken(start + Duration::from_millis(1400)), 2);
        assert_eq!(taken(start + Duration::from_secs(3600)), 30);
    }

    #[test]
    fn keys_do_not_share() {
        let now = Instant::now();
        let mut rates = Rates::new(Rate { per_s: 1, burst: 1 });
        assert!(rates.take("a", now) && !rates.take("a", now) && rates.take("b", now));
    }

    #[test]
    fn full_buckets_are_dropped_and_others_kept() {
        let start = Instant::now();
        let mut rates = Rates::new(Rate { per_s: 1, burst: 2 });
        for key in 0..100_000 {
            assert!(rates.take(key, start + Duration::from_millis(key)));
        }
        // The last second's keys are not full yet; as many again may wait for the next search.
        assert!(rates.buckets.len() <= 2 * 1000 + PRUNE_MIN, "{}", rates.buckets.len());
        assert!(rates.buckets.capacity() < 20_000, "{}", rates.buckets.capacity());
        let now = start + Duration::from_millis(99_999);
        assert!(rates.take(99_998_u64, now));
        assert!(!rates.take(99_998_u64, now), "a bucket in use was forgotten");
    }
}
