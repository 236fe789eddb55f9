//! The hub's counters, rendered at `/metrics`.
//!
//! `prometheus-client` holds the counters and gauges and writes the page: [`families`],
//! [`ops::text`](crate::ops::text). Counting is one relaxed add, or two for a histogram, whatever
//! the label: the hub keeps the metric of every label value, since the library's families take a
//! lock and hash the labels at every look-up. Its histogram takes a lock for every observation and
//! cannot be read, so that one is the hub's own ([`native::metrics`]).
//!
//! Other rooms write here; [`ops`](crate::ops) reads.

pub(crate) mod families;
pub(crate) mod health;
pub(crate) mod labels;

use std::time::Duration;

use native::metrics::Histogram;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::http::refusal_reason::Reason;
pub(crate) use crate::metrics::labels::{Bridged, CatchUp, Cause, Channel, Resume, Undelivered};
use crate::protocol::Protocol;

/// Close codes with a counter each: the hub's, and common ones of clients and libraries.
pub(crate) const CLOSES: [u16; 13] =
    [1000, 1001, 1002, 1007, 1011, 1012, 4400, 4401, 4403, 4408, 4410, 4413, 4429];

/// All counters, since the start of the process; see the module.
#[derive(Debug)]
pub struct Metrics {
    /// All families, for `/metrics`.
    pub(crate) families: Registry,
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
    /// Of the subscription, then of the connections for commands.
    pub(crate) connections_lost: [Counter; 2],
    pub(crate) commands_connected: Gauge,
    /// By [`Cause`].
    pub(crate) channel_joins: [Counter; 3],
    pub(crate) channel_join: Histogram<15>,
    /// Whether this hub forwards other services' messages.
    pub(crate) bridge: Gauge,
    /// By [`Bridged`].
    pub(crate) bridged: [Counter; 6],
    pub(crate) presence_failures: Counter,
    pub(crate) relay_calls: [Counter; 2],
    pub(crate) tickets_issued: Counter,
    pub(crate) tickets_redeemed: Counter,
}

impl Metrics {
    /// Counts an accepted TCP connection, whether or not it is admitted.
    pub(crate) fn connected(&self) {
        self.connects.inc();
    }

    /// Counts a rejected connection, handshake or ticket request.
    pub fn refused(&self, reason: Reason) {
        count(&self.refusals, reason as usize);
    }

    pub(crate) fn socket_opened(&self, protocol: Protocol) {
        gauge(&self.sockets, protocol as usize, |gauge| gauge.inc());
    }

    /// Called once per [`Self::socket_opened`]. `code` is the close code of either side, if any.
    pub(crate) fn socket_closed(&self, protocol: Protocol, code: Option<u16>) {
        gauge(&self.sockets, protocol as usize, |gauge| gauge.dec());
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
        self.users.inc();
    }

    pub(crate) fn user_left(&self) {
        self.users.dec();
    }

    /// Counts a message from Redis.
    pub(crate) fn message_received(&self, channel: Channel) {
        count(&self.messages, channel as usize);
    }

    pub(crate) fn undelivered(&self, why: Undelivered, messages: u64) {
        if let Some(counter) = self.undelivered.get(why as usize) {
            counter.inc_by(messages);
        }
    }

    /// Counts an invalid event; returns the total.
    pub(crate) fn invalid_event(&self) -> u64 {
        self.invalid_events.inc() + 1
    }

    /// Counts frames passed to the kernel, pings included.
    pub(crate) fn delivered(&self, frames: u64) {
        self.delivered.inc_by(frames);
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
        self.gaps.inc();
    }

    /// Counts users whose heads or feeds were requested.
    pub(crate) fn caught_up(&self, what: CatchUp, users: usize, is_ok: bool) {
        let counters = if is_ok { &self.catch_ups } else { &self.catch_up_failures };
        if let Some(counter) = counters.get(what as usize) {
            counter.inc_by(users as u64);
        }
    }

    /// Counts a lost or silent subscription.
    pub(crate) fn subscription_lost(&self) {
        count(&self.connections_lost, 0);
    }

    /// Counts a channel that was subscribed (again).
    pub(crate) fn channel_joined(&self, cause: Cause, after: Duration) {
        count(&self.channel_joins, cause as usize);
        self.channel_join.observe(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Sets whether this hub forwards other services' messages.
    pub(crate) fn set_bridge(&self, is_bridge: bool) {
        self.bridge.set(is_bridge.into());
    }

    /// Counts a message of the channel that the bridge hears.
    pub(crate) fn bridged(&self, outcome: Bridged) {
        count(&self.bridged, outcome as usize);
    }

    /// Counts a new connection for commands.
    pub(crate) fn commands_connected(&self) {
        self.commands_connected.inc();
    }

    pub(crate) fn commands_lost(&self) {
        self.commands_connected.dec();
        count(&self.connections_lost, 1);
    }

    /// Counts an established connection that was given up.
    pub(crate) fn commands_closed(&self) {
        self.commands_connected.dec();
    }

    pub(crate) fn presence_failed(&self) {
        self.presence_failures.inc();
    }

    pub(crate) fn relay_called(&self, is_ok: bool) {
        count(&self.relay_calls, usize::from(!is_ok));
    }

    pub(crate) fn ticket_issued(&self) {
        self.tickets_issued.inc();
    }

    pub(crate) fn ticket_redeemed(&self) {
        self.tickets_redeemed.inc();
    }
}

/// Increments the counter at `at`; each array has one counter per value of its enum.
fn count(counters: &[Counter], at: usize) {
    if let Some(counter) = counters.get(at) {
        counter.inc();
    }
}

fn gauge(gauges: &[Gauge], at: usize, change: impl FnOnce(&Gauge) -> i64) {
    if let Some(gauge) = gauges.get(at) {
        change(gauge);
    }
}
