//! The hub's counters, rendered at `/metrics` (Prometheus text exposition 0.0.4).
//!
//! One struct of plain atomics without a registry: counting is one relaxed add, or two for a
//! histogram, whatever the label. Two crates were considered. `prometheus-client` takes a lock for
//! every observation of a histogram and every look-up of a label, and writes OpenMetrics, not
//! 0.0.4; `metrics` needs one recorder for the whole process, which tests with several hubs cannot
//! share. They would only replace [`ops::text`](crate::ops::text).
//!
//! Other rooms write here; [`ops`](crate::ops) reads.

pub(crate) mod health;
pub(crate) mod labels;
pub(crate) mod values;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::refusal_reason::Reason;
pub(crate) use crate::metrics::labels::{CatchUp, Channel, Resume, Undelivered};
use crate::metrics::values::{Counter, Gauge, Histogram};
use crate::protocol::Protocol;

/// Buckets for the time from a message's receipt to its last byte in the kernel, in nanoseconds:
/// from 50 µs, as on an idle machine, to 2.5 s, which is no longer live.
const DELIVERY_NS: [u64; 15] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
];
/// Buckets for the entries of a replay: a feed has 100, and those of other services.
const REPLAY_ENTRIES: [u64; 7] = [0, 1, 3, 10, 30, 100, 300];

/// Close codes with a counter each: the hub's, and common ones of clients and libraries.
pub(crate) const CLOSES: [u16; 13] =
    [1000, 1001, 1002, 1007, 1011, 1012, 4400, 4401, 4403, 4408, 4410, 4413, 4429];

/// All counters, since the start of the process; see the module.
#[derive(Debug)]
pub struct Metrics {
    /// Start of the process, in seconds since the Unix epoch.
    pub(crate) started_s: f64,
    /// Indexed by [`Protocol`].
    pub(crate) sockets: [Gauge; Protocol::COUNT],
    pub(crate) users: Gauge,
    pub(crate) connects: Counter,
    /// Indexed like [`Reason::ALL`].
    pub(crate) refusals: [Counter; Reason::ALL.len()],
    /// Indexed like [`CLOSES`], then one for closes without a code and one for other codes.
    pub(crate) closes: [Counter; CLOSES.len() + 2],
    pub(crate) messages: [Counter; 2],
    pub(crate) undelivered: [Counter; 3],
    pub(crate) invalid_events: Counter,
    pub(crate) delivered: Counter,
    pub(crate) delivery: Histogram<15>,
    pub(crate) resumes: [Counter; 3],
    pub(crate) replays: Histogram<7>,
    pub(crate) gaps: Counter,
    pub(crate) catch_ups: [Counter; 2],
    pub(crate) catch_up_failures: [Counter; 2],
    pub(crate) subscriptions_lost: Counter,
    pub(crate) commands_lost: Counter,
    pub(crate) commands_connected: Gauge,
    pub(crate) presence_failures: Counter,
    pub(crate) relay_calls: [Counter; 2],
    pub(crate) tickets_issued: Counter,
    pub(crate) tickets_redeemed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started_s: now.as_secs_f64(),
            sockets: Default::default(),
            users: Gauge::default(),
            connects: Counter::default(),
            refusals: std::array::from_fn(|_| Counter::default()),
            closes: std::array::from_fn(|_| Counter::default()),
            messages: Default::default(),
            undelivered: Default::default(),
            invalid_events: Counter::default(),
            delivered: Counter::default(),
            delivery: Histogram::new(&DELIVERY_NS),
            resumes: Default::default(),
            replays: Histogram::new(&REPLAY_ENTRIES),
            gaps: Counter::default(),
            catch_ups: Default::default(),
            catch_up_failures: Default::default(),
            subscriptions_lost: Counter::default(),
            commands_lost: Counter::default(),
            commands_connected: Gauge::default(),
            presence_failures: Counter::default(),
            relay_calls: Default::default(),
            tickets_issued: Counter::default(),
            tickets_redeemed: Counter::default(),
        }
    }
}

impl Metrics {
    /// Counts an accepted TCP connection, whether or not it is admitted.
    pub(crate) fn connected(&self) {
        self.connects.add(1);
    }

    /// Counts a rejected connection, handshake or ticket request.
    pub fn refused(&self, reason: Reason) {
        count(&self.refusals, reason as usize);
    }

    pub(crate) fn socket_opened(&self, protocol: Protocol) {
        gauge(&self.sockets, protocol as usize, |gauge| gauge.add(1));
    }

    /// Called once per [`Self::socket_opened`]. `code` is the close code of either side, if any.
    pub(crate) fn socket_closed(&self, protocol: Protocol, code: Option<u16>) {
        gauge(&self.sockets, protocol as usize, |gauge| gauge.sub(1));
        self.closed(code);
    }

    fn closed(&self, code: Option<u16>) {
        let place = |code| CLOSES.iter().position(|known| *known == code);
        let at = match code {
            None => CLOSES.len(),
            Some(code) => place(code).unwrap_or(CLOSES.len() + 1),
        };
        count(&self.closes, at);
    }

    /// Counts a user with a first socket on this hub.
    pub(crate) fn user_came(&self) {
        self.users.add(1);
    }

    pub(crate) fn user_left(&self) {
        self.users.sub(1);
    }

    /// Counts a message from Redis.
    pub(crate) fn message_received(&self, channel: Channel) {
        count(&self.messages, channel as usize);
    }

    pub(crate) fn undelivered(&self, why: Undelivered, messages: u64) {
        if let Some(counter) = self.undelivered.get(why as usize) {
            counter.add(messages);
        }
    }

    /// Counts an invalid event; returns the total.
    pub(crate) fn invalid_event(&self) -> u64 {
        self.invalid_events.add(1);
        self.invalid_events.get()
    }

    /// Counts frames passed to the kernel, pings included.
    pub(crate) fn delivered(&self, frames: u64) {
        self.delivered.add(frames);
    }

    /// Observes the time from a message's receipt to the writes to its sockets. It excludes the
    /// delay of slow clients, which the queues show.
    pub(crate) fn delivered_after(&self, elapsed: Duration) {
        self.delivery.observe(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a socket that sent a cursor; `entries` are replayed.
    pub(crate) fn resumed(&self, outcome: Resume, entries: usize) {
        count(&self.resumes, outcome as usize);
        if outcome != Resume::Gap {
            self.replays.observe(entries as u64);
        }
    }

    /// Counts a socket that was sent a gap.
    pub(crate) fn gap(&self) {
        self.gaps.add(1);
    }

    /// Counts users whose heads or feeds were requested.
    pub(crate) fn caught_up(&self, what: CatchUp, users: usize, is_ok: bool) {
        let counters = if is_ok { &self.catch_ups } else { &self.catch_up_failures };
        if let Some(counter) = counters.get(what as usize) {
            counter.add(users as u64);
        }
    }

    /// Counts a lost or silent subscription.
    pub(crate) fn subscription_lost(&self) {
        self.subscriptions_lost.add(1);
    }

    /// Counts a new connection for commands.
    pub(crate) fn commands_connected(&self) {
        self.commands_connected.set(1);
    }

    pub(crate) fn commands_lost(&self) {
        self.commands_connected.set(0);
        self.commands_lost.add(1);
    }

    pub(crate) fn presence_failed(&self) {
        self.presence_failures.add(1);
    }

    pub(crate) fn relay_called(&self, is_ok: bool) {
        count(&self.relay_calls, usize::from(!is_ok));
    }

    pub(crate) fn ticket_issued(&self) {
        self.tickets_issued.add(1);
    }

    pub(crate) fn ticket_redeemed(&self) {
        self.tickets_redeemed.add(1);
    }
}

/// Increments the counter at `at`; each array has one counter per value of its enum.
fn count(counters: &[Counter], at: usize) {
    if let Some(counter) = counters.get(at) {
        counter.add(1);
    }
}

fn gauge(gauges: &[Gauge], at: usize, change: impl FnOnce(&Gauge)) {
    if let Some(gauge) = gauges.get(at) {
        change(gauge);
    }
}
