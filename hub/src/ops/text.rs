//! `/metrics` as text: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

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
/// About what a page has, so that it is not grown a dozen times.
const PAGE_BYTES: usize = 16 * 1024;

/// The page while it is written.
struct Page(String);

impl Page {
    /// HELP and TYPE; the samples follow.
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

    /// A family with one label. Every value of the label is there from the start: a rate over a series
    /// that begins with its first event misses that event.
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

    /// `unit` is how many of the histogram's make one of the base unit.
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
        // Counted from the same reads, so that the parts agree while others go on counting.
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
    /// The whole page.
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
        page.family("bellwire_hub_build_info", "gauge", "Which version runs.");
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(page.0, "bellwire_hub_build_info{{version=\"{version}\"}} 1");
        let help = "Start of the process, in seconds since the Unix epoch.";
        page.one("process_start_time_seconds", "gauge", help, self.started_s);
        page.gauge("process_max_fds", "Files that may be open.", open_files::limit());
        // Linux only; elsewhere the family is missing.
        if let Some(bytes) = resident_bytes() {
            page.gauge("process_resident_memory_bytes", "Memory in use.", bytes);
        }
    }

    fn admission(&self, page: &mut Page, admission: &Admission) {
        let sockets = self.sockets.iter().map(Gauge::get);
        let head = ["bellwire_hub_sockets", "gauge", "Open sockets.", "protocol"];
        page.labelled(head, ["raw", "v1", "sse"].into_iter().zip(sockets));
        page.gauge("bellwire_hub_users", "Users with a socket here.", self.users.get());
        let help = "Open TCP connections, sockets among them.";
        page.gauge("bellwire_hub_connections", help, admission.connections() as u64);
        let limits = admission.limits();
        let help = "Connections that may be open.";
        page.gauge("bellwire_hub_connections_max", help, limits.connections_max as u64);
        let help = "Sockets that may be open.";
        page.gauge("bellwire_hub_sockets_max", help, limits.sockets_max as u64);
        let help = "TCP connections that were accepted.";
        page.counter("bellwire_hub_connects_total", help, &self.connects);
        let name = "bellwire_hub_refused_total";
        page.family(name, "counter", "Connections, handshakes and tickets that were refused.");
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
                "Sockets that are over, by close code; none where the connection just ended.",
                "code",
            ],
            codes.zip(self.closes.iter().map(Counter::get)),
        );
        let help = "One-time tickets that were given out.";
        page.counter("bellwire_hub_tickets_issued_total", help, &self.tickets_issued);
        let help = "One-time tickets that opened a socket here.";
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
                "Messages that were handed to no socket.",
                "reason",
            ],
            counts(["unreadable", "not_here", "shed"], &self.undelivered),
        );
        let help = "Events that could not be read.";
        page.counter("bellwire_hub_odd_events_total", help, &self.odd_events);
        let help = "Frames that were handed to the kernel.";
        page.counter("bellwire_hub_delivered_total", help, &self.delivered);
        page.histogram(
            "bellwire_hub_delivery_seconds",
            "From receipt on the subscription until a socket was written to.",
            &self.delivery,
            NS_PER_S,
        );
        let help = "Frames that wait for sockets.";
        page.gauge("bellwire_hub_queued_frames", help, queues.frames);
        let help = "The same in bytes; sockets of a user share theirs.";
        page.gauge("bellwire_hub_queued_bytes", help, queues.bytes);
        let help = "Longest queue of one socket.";
        page.gauge("bellwire_hub_queue_frames_max", help, queues.longest);
    }

    fn catching_up(&self, page: &mut Page) {
        page.labelled(
            [
                "bellwire_hub_resumes_total",
                "counter",
                "Sockets that came with a cursor.",
                "outcome",
            ],
            counts(["replayed", "gap", "nothing"], &self.resumes),
        );
        let help = "Entries that a resuming socket was sent.";
        page.histogram("bellwire_hub_replay_entries", help, &self.replays, 1.0);
        let help = "Sockets that were told of a gap.";
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
        let help = "Whether the hub hears the channel.";
        page.gauge("bellwire_hub_redis_subscribed", help, health.is_subscribed().into());
        let help = "Whether there is a connection for commands.";
        page.gauge("bellwire_hub_redis_connected", help, self.commands_connected.get());
        page.labelled(
            ["bellwire_hub_redis_lost_total", "counter", "Connections that were lost.", "of"],
            [("subscription", &self.subscriptions_lost), ("commands", &self.commands_lost)]
                .map(|(of, counter)| (of, counter.get())),
        );
        let help = "Since Redis answered anything.";
        let age = health.answer_age().as_secs_f64();
        page.one("bellwire_hub_redis_answer_age_seconds", "gauge", help, age);
        let help = "Writes of presence that failed.";
        page.counter("bellwire_hub_presence_failures_total", help, &self.presence_failures);
        page.labelled(
            ["bellwire_hub_relay_calls_total", "counter", "Calls of the relay.", "outcome"],
            counts(["ok", "failed"], &self.relay_calls),
        );
    }
}

/// `VmRSS` of this process.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests;
