//! Registers metrics while they are made. Both formats add `_total` to the names of counters, and
//! the library a full stop to every help.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use super::values::Family;

/// The values of a label.
#[must_use]
pub fn by<const N: usize>(
    label: &'static str,
    values: [&'static str; N],
) -> [[(&'static str, &'static str); 1]; N] {
    values.map(|value| [(label, value)])
}

/// The families of a page.
#[derive(Debug, Default)]
pub struct Families(pub Registry);

impl Families {
    /// Registers `metric`; clones share their values.
    pub fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    /// Registers a metric without labels.
    pub fn one<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.add(name, help, M::default())
    }

    /// Registers a metric for each of the label sets.
    pub fn family<L, M, const N: usize>(
        &mut self,
        [name, help]: [&str; 2],
        labels: [L; N],
    ) -> [M; N]
    where
        L: EncodeLabelSet + Debug + Send + Sync + 'static,
        M: Metric + TypedMetric + Clone + Default,
    {
        let metrics = std::array::from_fn(|_| M::default());
        self.0.register(name, help, Family { labels, metrics: metrics.clone() });
        metrics
    }

    /// Registers what is known of the process from its start; `name` and `help` are those of its
    /// version.
    pub fn process(&mut self, [name, help]: [&str; 2]) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        self.0.register(name, help, version);
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.register(
            "process_start_time_seconds",
            "Start of the process, in seconds since the Unix epoch",
            ConstGauge::new(started.as_secs_f64()),
        );
    }
}
