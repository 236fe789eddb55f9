//! The worker's counters, and the page of `/metrics`. What the sender counts itself is read from
//! there for each page.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use native::metrics::{Families, by};
use native::ops::{Endpoint, Format, MetricsAccess, Ready as _};
use native::process::usage::resident_bytes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use push::Sender;
use push::metrics::{KINDS, RESULTS, SECONDS};

use crate::health::Health;

const JOBS: [&str; 3] = ["done", "later", "expired"];
const USERS: [&str; 6] = ["sent", "failed", "dead", "invalid", "skipped", "later"];
const CALLS: [&str; 2] = ["ok", "failed"];
const GUARDS: [&str; 2] = ["many_invalid", "credentials"];

/// What became of a claimed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobEnd {
    Done,
    Later,
    Expired,
}

/// What became of a campaign's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserEnd {
    Sent,
    Failed,
    Dead,
    Invalid,
    Skipped,
    Later,
}

/// All counters, since the start of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    families: Registry,
    jobs: [Counter; JOBS.len()],
    users: [Counter; USERS.len()],
    calls: [Counter; CALLS.len()],
    guards: [Counter; GUARDS.len()],
    pruned: Counter,
    unpruned: Counter,
    campaigns: Gauge,
    doubtful_blocks: Counter,
    /// Milliseconds for which the oldest job of the last claim was due.
    oldest_due_ms: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Families::default();
        all.process(["bellwire_push_build", "The version of the worker"]);
        Self {
            jobs: all.family(["bellwire_push_jobs", "Claimed jobs"], by("result", JOBS)),
            users: all.family(
                ["bellwire_push_campaign_users", "Users of campaigns"],
                by("result", USERS),
            ),
            calls: all.family(
                ["bellwire_push_functions_calls", "Calls of the functions"],
                by("outcome", CALLS),
            ),
            guards: all.family(
                [
                    "bellwire_push_guard_trips",
                    "Times that too many addresses were dead, or did not belong to the credential",
                ],
                by("reason", GUARDS),
            ),
            pruned: all.one("bellwire_push_pruned", "Addresses removed, because they are gone"),
            unpruned: all.one(
                "bellwire_push_unpruned",
                "Gone addresses that were left alone, because a guard had tripped",
            ),
            campaigns: all.one("bellwire_push_campaigns", "Campaigns that this worker sends"),
            doubtful_blocks: all.one(
                "bellwire_push_doubtful_blocks",
                "Blocks taken over from a worker that did not say what became of them",
            ),
            oldest_due_ms: AtomicU64::new(0),
            families: all.0,
        }
    }
}

impl Metrics {
    pub(crate) fn job_ended(&self, end: JobEnd) {
        count(&self.jobs, end as usize);
    }

    pub(crate) fn user_ended(&self, end: UserEnd) {
        count(&self.users, end as usize);
    }

    pub(crate) fn functions_called(&self, is_ok: bool) {
        count(&self.calls, usize::from(!is_ok));
    }

    pub(crate) fn many_invalid(&self) {
        count(&self.guards, 0);
    }

    pub(crate) fn many_mismatches(&self) {
        count(&self.guards, 1);
    }

    pub(crate) fn pruned(&self, addresses: u64) {
        self.pruned.inc_by(addresses);
    }

    pub(crate) fn unpruned(&self) {
        self.unpruned.inc();
    }

    pub(crate) fn campaign_began(&self) {
        self.campaigns.inc();
    }

    pub(crate) fn campaign_ended(&self) {
        self.campaigns.dec();
    }

    pub(crate) fn doubtful_block(&self) {
        self.doubtful_blocks.inc();
    }

    /// The oldest of the jobs that were just claimed; 0 for none.
    pub(crate) fn oldest_due(&self, ms: u64) {
        self.oldest_due_ms.store(ms, Relaxed);
    }
}

fn count(counters: &[Counter], at: usize) {
    if let Some(counter) = counters.get(at) {
        counter.inc();
    }
}

/// What `/metrics`, `/healthz` and `/readyz` show.
pub(crate) struct Page {
    pub(crate) access: MetricsAccess,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) sender: Arc<Sender>,
}

impl Endpoint for Page {
    type Health = Health;

    fn access(&self) -> &MetricsAccess {
        &self.access
    }

    fn render(&self, format: Format) -> Result<String, fmt::Error> {
        let mut now = Registry::default();
        let oldest_due_ms = self.metrics.oldest_due_ms.load(Relaxed);
        let is_ready = self.health.ready().is_ok();
        let sender = self.sender.clone();
        now.register_collector(Box::new(Now { sender, oldest_due_ms, is_ready }));
        format.render(&[&self.metrics.families, &now])
    }

    fn health(&self) -> Arc<Health> {
        self.health.clone()
    }
}

/// Numbers that are read for each page.
struct Now {
    sender: Arc<Sender>,
    oldest_due_ms: u64,
    is_ready: bool,
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl Collector for Now {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        let numbers = self.sender.metrics().snapshot();
        let mut sent = page.encode_descriptor(
            "bellwire_push_sent",
            "Pushes, by service and result.",
            None,
            MetricType::Counter,
        )?;
        for (kind, results) in KINDS.iter().zip(&numbers.sent) {
            for (result, value) in RESULTS.iter().zip(results) {
                let labels = [("kind", *kind), ("result", *result)];
                let mut family = sent.encode_family(&labels)?;
                family.encode_counter::<NoLabelSet, _, u64>(value, None)?;
            }
        }
        let buckets: Vec<(f64, u64)> =
            SECONDS.into_iter().chain([f64::INFINITY]).zip(numbers.seconds).collect();
        let requests = numbers.seconds.iter().sum();
        let mut seconds = page.encode_descriptor(
            "bellwire_push_seconds",
            "Time of one request to a service.",
            None,
            MetricType::Histogram,
        )?;
        seconds.encode_histogram::<NoLabelSet>(
            numbers.micros as f64 / 1e6,
            requests,
            &buckets,
            None,
        )?;
        let help = "Pushes of which it is unknown whether the service accepted them.";
        page.encode_descriptor("bellwire_push_doubtful", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&numbers.doubtful, None)?;
        let mut gauge = |name: &str, help: &str, value: u64| {
            page.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
        };
        let help = "Whether the worker can work, as `/readyz` says.";
        gauge("bellwire_push_ready", help, self.is_ready.into())?;
        gauge("bellwire_push_inflight", "Pushes in flight.", numbers.in_flight)?;
        let held = self.sender.held() as u64;
        gauge("bellwire_push_held", "Credentials and push services that must wait.", held)?;
        let open = self.sender.open_connections() as u64;
        gauge("bellwire_push_connections", "Open connections to services.", open)?;
        // Linux only; on other systems the family is missing.
        if let Some(bytes) = resident_bytes() {
            gauge("process_resident_memory_bytes", "Resident memory in bytes.", bytes)?;
        }
        let help = "Time for which the oldest job of the last claim was due.";
        let oldest_s = self.oldest_due_ms as f64 / 1000.0;
        page.encode_descriptor("bellwire_push_oldest_due_seconds", help, None, MetricType::Gauge)?
            .encode_gauge(&oldest_s)
    }
}

#[cfg(test)]
mod tests;
