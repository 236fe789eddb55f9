//! What `prometheus-client` has not: a histogram without a lock, and families that need no look-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Observations counted per bucket; integers in the smallest unit. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    /// Smallest units per base unit, in which it is shown.
    per_unit: f64,
    values: Arc<Values<N>>,
}

/// Independent values, hence relaxed atomics.
#[derive(Debug)]
struct Values<const N: usize> {
    /// Per bucket, not cumulative, so that an observation increments one of them.
    counts: [AtomicU64; N],
    /// Observations above the last bound.
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram; `bounds` must ascend.
    #[must_use]
    pub fn new(bounds: &'static [u64; N], per_unit: f64) -> Self {
        let values = Arc::new(Values {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        });
        Self { bounds, per_unit, values }
    }

    /// Counts a value in its bucket.
    pub fn observe(&self, value: u64) {
        let values = &*self.values;
        // For a dozen bounds, a linear search is faster than a binary one.
        let at = self.bounds.iter().position(|bound| value <= *bound);
        let count = at.and_then(|at| values.counts.get(at)).unwrap_or(&values.beyond);
        count.fetch_add(1, Relaxed);
        values.sum.fetch_add(value, Relaxed);
    }

    /// The observations of each bucket, and those above the last bound.
    pub fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.values.counts.iter().chain([&self.values.beyond]).map(|count| count.load(Relaxed))
    }
}

impl<const N: usize> EncodeMetric for Histogram<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.per_unit);
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(self.counts()).collect();
        // Summed from the same loads as the buckets, so that the parts agree while other threads
        // count.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.values.sum.load(Relaxed) as f64 / self.per_unit;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// A family with a metric for each of its label sets. All of them exist from the start: a rate over
/// a series that begins with its first event misses that event.
#[derive(Debug)]
pub struct Family<L, M, const N: usize> {
    /// One set for each metric.
    pub labels: [L; N],
    /// In the order of the labels.
    pub metrics: [M; N],
}

impl<L: EncodeLabelSet, M: EncodeMetric + TypedMetric, const N: usize> EncodeMetric
    for Family<L, M, N>
{
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        for (labels, metric) in self.labels.iter().zip(&self.metrics) {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::new(&[0, 10, 20], 1.0);
        for value in [0, 1, 10, 11, 20, 21, 1000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.counts().collect::<Vec<_>>(), [1, 2, 2, 2]);
    }
}
