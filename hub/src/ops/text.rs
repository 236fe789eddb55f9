//! The page of `/metrics`, which `prometheus-client` writes: as OpenMetrics 1.0 for scrapers that
//! ask for that, otherwise in Prometheus' text format 0.0.4, as for `curl`. The families of what is
//! counted are in [`metrics`](crate::metrics); those that are read for each page are here.

use std::fmt;
use std::sync::Arc;

use http::header::{ACCEPT, HeaderMap};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::admission::Admission;
use crate::config::open_files;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::metrics::process::resident_bytes;
use crate::users::Queues;

const OPEN_METRICS: &str = "application/openmetrics-text";
/// Initial capacity, about the size of a page, so that it is not reallocated a dozen times.
const PAGE_BYTES: usize = 16 * 1024;

/// The two text formats that scrapers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// OpenMetrics if `Accept` names it, and does not prefer `text/plain`.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<&str> = accept.flat_map(|value| value.split(',')).collect();
        let open_metrics = quality(&ranges, OPEN_METRICS);
        if open_metrics > 0.0 && open_metrics >= quality(&ranges, "text/plain") {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// The highest `q` of `media_type` among the ranges of `Accept`; 0 if it is not named.
fn quality(ranges: &[&str], media_type: &str) -> f32 {
    let of_range = |range: &&str| {
        let mut parts = range.split(';').map(str::trim);
        let is_meant = parts.next()?.eq_ignore_ascii_case(media_type);
        let q = parts.find_map(|part| part.strip_prefix("q="));
        is_meant.then(|| q.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
    };
    ranges.iter().filter_map(of_range).fold(0.0, f32::max)
}

/// What a page is made of.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) now: Now,
}

/// Numbers that nobody counts: they are read for each page.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    pub(crate) health: Arc<Health>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) queues: Queues,
}

impl Sources {
    /// Renders the whole page.
    ///
    /// # Errors
    /// None: a `String` accepts everything.
    pub(crate) fn render(&self, format: Format) -> Result<String, fmt::Error> {
        let mut now = Registry::default();
        now.register_collector(Box::new(self.now.clone()));
        let mut page = String::with_capacity(PAGE_BYTES);
        for families in [&self.metrics.families, &now] {
            match format {
                Format::OpenMetrics => text::encode_registry(&mut page, families)?,
                Format::Prometheus => prometheus_text::encode(&mut page, families)?,
            }
        }
        if format == Format::OpenMetrics {
            text::encode_eof(&mut page)?;
        }
        Ok(page)
    }
}

impl Collector for Now {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { health, admission, queues } = self;
        let limits = admission.limits();
        let mut gauge = |name: &str, help: &str, value: u64| {
            page.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
        };
        let help = "Open TCP connections, including sockets.";
        gauge("bellwire_hub_connections", help, admission.connections() as u64)?;
        let help = "Maximum number of open connections.";
        gauge("bellwire_hub_connections_max", help, limits.connections_max as u64)?;
        let help = "Maximum number of open sockets.";
        gauge("bellwire_hub_sockets_max", help, limits.sockets_max as u64)?;
        gauge("bellwire_hub_queued_frames", "Frames queued for sockets.", queues.frames)?;
        let help = "Bytes queued for sockets; a user's sockets share them.";
        gauge("bellwire_hub_queued_bytes", help, queues.bytes)?;
        let help = "Frames in the longest queue of a socket.";
        gauge("bellwire_hub_queue_frames_max", help, queues.longest)?;
        let help = "Whether the subscription is established.";
        gauge("bellwire_hub_redis_subscribed", help, health.is_subscribed().into())?;
        gauge("process_max_fds", "Maximum number of open files.", open_files::limit())?;
        // Linux only; on other systems the family is missing.
        if let Some(bytes) = resident_bytes() {
            gauge("process_resident_memory_bytes", "Resident memory in bytes.", bytes)?;
        }
        let (name, help) =
            ("bellwire_hub_redis_answer_age_seconds", "Seconds since Redis's last answer.");
        let age_s = health.answer_age().as_secs_f64();
        page.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&age_s)
    }
}

#[cfg(test)]
mod tests;
