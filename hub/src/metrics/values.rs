//! Counters, gauges and histograms: single words that stand for themselves, hence relaxed.

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const RELAXED: Ordering = Ordering::Relaxed;

/// Only grows.
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

/// How many there are. What is added on one thread and taken on another may be seen in the other
/// order, so that it is below 0 for a moment; it is shown as 0 then.
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

/// How many were at most so large, for each bound; whole numbers of the smallest unit.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    /// Each on its own, not cumulated: one add for an observation.
    counts: [AtomicU64; N],
    /// Larger than the last bound.
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// The bounds ascend.
    pub(crate) fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, value: u64) {
        // A dozen comparisons in a row beat a binary search.
        let at = self.bounds.iter().position(|bound| value <= *bound);
        let count = at.and_then(|at| self.counts.get(at)).unwrap_or(&self.beyond);
        count.fetch_add(1, RELAXED);
        self.sum.fetch_add(value, RELAXED);
    }

    /// The bounds, each with how many were at most so large.
    pub(crate) fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count.load(RELAXED);
            Some(*sum)
        });
        self.bounds.iter().copied().zip(counts)
    }

    /// How many were larger than the last bound.
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
