//! Counters, gauges and histograms: independent values, hence relaxed atomics.

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const RELAXED: Ordering = Ordering::Relaxed;

/// A value that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, RELAXED);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(RELAXED)
    }
}

/// A current number. Increments and decrements on different threads may be seen out of order, which
/// makes it negative for a moment; it is rendered as 0 then.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, RELAXED);
    }

    pub(crate) fn sub(&self, n: u64) {
        self.0.fetch_sub(n, RELAXED);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, RELAXED);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(RELAXED).cast_signed().max(0).cast_unsigned()
    }
}

/// Observations counted per bucket; integers in the smallest unit.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    /// Per bucket, not cumulative, so that an observation is one add.
    counts: [AtomicU64; N],
    /// Observations above the last bound.
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram; `bounds` must ascend.
    pub(crate) fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, value: u64) {
        // For a dozen bounds, a linear search is faster than a binary one.
        let at = self.bounds.iter().position(|bound| value <= *bound);
        let count = at.and_then(|at| self.counts.get(at)).unwrap_or(&self.beyond);
        count.fetch_add(1, RELAXED);
        self.sum.fetch_add(value, RELAXED);
    }

    /// Each bound with the number of observations up to it.
    pub(crate) fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count.load(RELAXED);
            Some(*sum)
        });
        self.bounds.iter().copied().zip(counts)
    }

    /// The number of observations above the last bound.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond.load(RELAXED)
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum.load(RELAXED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::new(&[0, 10, 20]);
        for value in [0, 1, 10, 11, 20, 21, 1000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.cumulated().collect::<Vec<_>>(), [(0, 1), (10, 3), (20, 5)]);
        assert_eq!((histogram.beyond(), histogram.sum()), (2, 1063));
    }

    #[test]
    fn a_gauge_is_never_shown_below_zero() {
        let gauge = Gauge::default();
        gauge.sub(1);
        assert_eq!(gauge.get(), 0);
        gauge.add(3);
        assert_eq!(gauge.get(), 2);
    }
}
