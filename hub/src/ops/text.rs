//! The text of `/metrics`: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version
//! 0.0.4.

use std::fmt::{Display, Write as _};

use crate::admission::Admission;
use crate::config::open_files;
use crate::http::refusal_reason::Reason;
use crate::metrics::health::Health;
use crate::metrics::values::{Counter, Gauge, Histogram};
use crate::metrics::{CLOSES, Metrics};
use crate::users::Queues;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const NS_PER_S: f64 = 1e9;
/// Initial capacity, about the size of a page, so that it is not reallocated a dozen times.
const PAGE_BYTES: usize = 16 * 1024;

/// The page being written.
struct Page(String);

impl Page {
    /// Writes HELP and TYPE; the samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, counter: &Counter) {
        self.one(name, "counter", help, counter.get());
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, "gauge", help, value);
    }

    /// Writes a family with one label. Every label value exists from the start: a rate over a
    /// series that begins with its first event misses that event.
    fn labelled<L: Display>(
        &mut self,
        [name, kind, help, label]: [&str; 4],
        samples: impl IntoIterator<Item = (L, u64)>,
    ) {
        self.family(name, kind, help);
        for (value, sample) in samples {
            let _ = writeln!(self.0, "{name}{{{label}=\"{value}\"}} {sample}");
        }
    }

    /// Writes a histogram; `unit` is the number of its smallest units per base unit.
    fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram<N>,
        unit: f64,
    ) {
        self.family(name, "histogram", help);
        let mut count = 0;
        for (bound, at_most) in histogram.cumulated() {
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{}\"}} {at_most}", bound as f64 / unit);
            count = at_most;
        }
        // Summed from the same loads as the buckets, so that the parts agree while other threads
        // count.
        count += histogram.beyond();
        let _ = writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(self.0, "{name}_sum {}", histogram.sum() as f64 / unit);
        let _ = writeln!(self.0, "{name}_count {count}");
    }
}

fn counts<'a, const N: usize>(
    names: [&'a str; N],
    counters: &'a [Counter; N],
) -> impl Iterator<Item = (&'a str, u64)> {
    names.into_iter().zip(counters.iter().map(Counter::get))
}

impl Metrics {
    /// Renders the whole page.
    pub(crate) fn render(&self, health: &Health, admission: &Admission, queues: &Queues) -> String {
        let mut page = Page(String::with_capacity(PAGE_BYTES));
        self.process(&mut page);
        self.admission(&mut page, admission);
        self.messages(&mut page, queues);
        self.catching_up(&mut page);
        self.redis(&mut page, health);
        page.0
    }

    fn process(&self, page: &mut Page) {
        page.family("bellwire_hub_build_info", "gauge", "The version of the hub.");
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(page.0, "bellwire_hub_build_info{{version=\"{version}\"}} 1");
        let help = "Start of the process, in seconds since the Unix epoch.";
        page.one("process_start_time_seconds", "gauge", help, self.started_s);
        page.gauge("process_max_fds", "Maximum number of open files.", open_files::limit());
        // Linux only; on other systems the family is missing.
        if let Some(bytes) = resident_bytes() {
            page.gauge("process_resident_memory_bytes", "Resident memory in bytes.", bytes);
        }
    }

    fn admission(&self, page: &mut Page, admission: &Admission) {
        let sockets = self.sockets.iter().map(Gauge::get);
        let head = ["bellwire_hub_sockets", "gauge", "Open sockets.", "protocol"];
        page.labelled(head, ["raw", "v1", "sse"].into_iter().zip(sockets));
        page.gauge("bellwire_hub_users", "Users with a socket on this hub.", self.users.get());
        let help = "Open TCP connections, including sockets.";
        page.gauge("bellwire_hub_connections", help, admission.connections() as u64);
        let limits = admission.limits();
        let help = "Maximum number of open connections.";
        page.gauge("bellwire_hub_connections_max", help, limits.connections_max as u64);
        let help = "Maximum number of open sockets.";
        page.gauge("bellwire_hub_sockets_max", help, limits.sockets_max as u64);
        let help = "Accepted TCP connections.";
        page.counter("bellwire_hub_connects_total", help, &self.connects);
        let name = "bellwire_hub_refused_total";
        page.family(name, "counter", "Rejected connections, handshakes and ticket requests.");
        for (reason, counter) in Reason::ALL.into_iter().zip(&self.refusals) {
            let (code, reason) = (reason.code(), reason.as_str());
            let labels = format!("code=\"{code}\",reason=\"{reason}\"");
            let _ = writeln!(page.0, "{name}{{{labels}}} {}", counter.get());
        }
        let codes = CLOSES.into_iter().map(|code| code.to_string());
        let codes = codes.chain(["none".to_owned(), "other".to_owned()]);
        page.labelled(
            [
                "bellwire_hub_closed_total",
                "counter",
                "Closed sockets, by close code; `none` if the connection ended without one.",
                "code",
            ],
            codes.zip(self.closes.iter().map(Counter::get)),
        );
        let help = "One-time tickets issued.";
        page.counter("bellwire_hub_tickets_issued_total", help, &self.tickets_issued);
        let help = "One-time tickets redeemed on this hub.";
        page.counter("bellwire_hub_tickets_redeemed_total", help, &self.tickets_redeemed);
    }

    fn messages(&self, page: &mut Page, queues: &Queues) {
        page.labelled(
            ["bellwire_hub_messages_total", "counter", "Messages from Redis.", "channel"],
            counts(["notifications", "events"], &self.messages),
        );
        page.labelled(
            [
                "bellwire_hub_undelivered_total",
                "counter",
                "Messages that were not sent to any socket.",
                "reason",
            ],
            counts(["unreadable", "not_here", "shed"], &self.undelivered),
        );
        let help = "Invalid events.";
        page.counter("bellwire_hub_odd_events_total", help, &self.invalid_events);
        let help = "Frames passed to the kernel.";
        page.counter("bellwire_hub_delivered_total", help, &self.delivered);
        page.histogram(
            "bellwire_hub_delivery_seconds",
            "Time from receipt on the subscription to the write to a socket.",
            &self.delivery,
            NS_PER_S,
        );
        let help = "Frames queued for sockets.";
        page.gauge("bellwire_hub_queued_frames", help, queues.frames);
        let help = "Bytes queued for sockets; a user's sockets share them.";
        page.gauge("bellwire_hub_queued_bytes", help, queues.bytes);
        let help = "Frames in the longest queue of a socket.";
        page.gauge("bellwire_hub_queue_frames_max", help, queues.longest);
    }

    fn catching_up(&self, page: &mut Page) {
        page.labelled(
            ["bellwire_hub_resumes_total", "counter", "Sockets that sent a cursor.", "outcome"],
            counts(["replayed", "gap", "nothing"], &self.resumes),
        );
        let help = "Entries replayed to a resuming socket.";
        page.histogram("bellwire_hub_replay_entries", help, &self.replays, 1.0);
        let help = "Gaps sent to sockets.";
        page.counter("bellwire_hub_gaps_total", help, &self.gaps);
        let kinds = ["heads", "feeds"];
        page.labelled(
            ["bellwire_hub_reads_total", "counter", "Users whose head or feed was read.", "of"],
            counts(kinds, &self.catch_ups),
        );
        page.labelled(
            [
                "bellwire_hub_read_failures_total",
                "counter",
                "Users whose head or feed could not be read.",
                "of",
            ],
            counts(kinds, &self.catch_up_failures),
        );
    }

    fn redis(&self, page: &mut Page, health: &Health) {
        let help = "Whether the subscription is established.";
        page.gauge("bellwire_hub_redis_subscribed", help, health.is_subscribed().into());
        let help = "Whether the connection for commands is established.";
        page.gauge("bellwire_hub_redis_connected", help, self.commands_connected.get());
        page.labelled(
            ["bellwire_hub_redis_lost_total", "counter", "Lost connections.", "of"],
            [("subscription", &self.subscriptions_lost), ("commands", &self.commands_lost)]
                .map(|(of, counter)| (of, counter.get())),
        );
        let help = "Seconds since Redis's last answer.";
        let age = health.answer_age().as_secs_f64();
        page.one("bellwire_hub_redis_answer_age_seconds", "gauge", help, age);
        let help = "Failed writes of presence.";
        page.counter("bellwire_hub_presence_failures_total", help, &self.presence_failures);
        page.labelled(
            ["bellwire_hub_relay_calls_total", "counter", "Calls to the relay.", "outcome"],
            counts(["ok", "failed"], &self.relay_calls),
        );
    }
}

/// `VmRSS` of this process in bytes.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests;
