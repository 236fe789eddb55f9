//! The page of `/metrics`. The families of what is counted are in [`metrics`](crate::metrics); those
//! that are read for each page are here.

use std::fmt;
use std::sync::Arc;

use native::ops::{Format, Ready as _};
use native::process::open_files;
use native::process::usage::resident_bytes;
use native::redis::Master;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::users::Queues;

/// What a page is made of.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) now: Now,
}

/// Numbers that are not counted: they are read for each page.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    pub(crate) health: Arc<Health>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) queues: Queues,
    /// Users' own channels, and the connections for them.
    pub(crate) channels: (u64, u64),
}

impl Sources {
    /// Renders the whole page.
    ///
    /// # Errors
    /// None: a `String` accepts everything.
    pub(crate) fn render(&self, format: Format) -> Result<String, fmt::Error> {
        let mut now = Registry::default();
        now.register_collector(Box::new(self.now.clone()));
        format.render(&[&self.metrics.families, &now])
    }
}

impl Collector for Now {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { health, admission, queues, channels } = self;
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
        let help = "Users' own channels that are subscribed, or are about to be.";
        gauge("bellwire_hub_channels", help, channels.0)?;
        let help = "Connections that are subscribed to users' own channels.";
        gauge("bellwire_hub_channel_connections", help, channels.1)?;
        let help = "Whether every subscription is established.";
        gauge("bellwire_hub_redis_subscribed", help, health.is_subscribed().into())?;
        let help = "Whether the hub is ready for new sockets, as `/readyz` says.";
        gauge("bellwire_hub_ready", help, health.ready().is_ok().into())?;
        gauge("process_max_fds", "Maximum number of open files.", open_files::limit())?;
        // Linux only; on other systems the family is missing.
        if let Some(bytes) = resident_bytes() {
            gauge("process_resident_memory_bytes", "Resident memory in bytes.", bytes)?;
        }
        let (name, help) =
            ("bellwire_hub_redis_answer_age_seconds", "Seconds since Redis's last answer.");
        let age_s = health.answer_age().as_secs_f64();
        page.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&age_s)?;
        // As many labels as there are masters now: one that is replaced leaves the page.
        let (name, help) = (
            "bellwire_hub_redis_master_connected",
            "Whether the connection for commands to this master is established.",
        );
        let mut gauges = page.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for Master { server, is_connected, .. } in health.masters() {
            let labels = [("master", server.to_string())];
            gauges.encode_family(&labels)?.encode_gauge(&u64::from(is_connected))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
