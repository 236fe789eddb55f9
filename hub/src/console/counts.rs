//! What is counted: as totals since the start, and the difference of two totals.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::http::refusal_reason::Reason;
use crate::metrics::families::{CALLS, DELIVERY_NS, RESUMES, UNDELIVERED, close_code};
use crate::metrics::{CLOSES, Metrics};

/// Totals since the start (`u64`), or the counts of one interval (`u32`). Arrays are in the order
/// of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts<T> {
    pub(super) received: T,
    pub(super) delivered: T,
    pub(super) latency: [T; DELIVERY_NS.len() + 1],
    pub(super) closes: [T; CLOSES.len() + 2],
    pub(super) refusals: [T; Reason::ALL.len()],
    pub(super) resumes: [T; 3],
    pub(super) gaps: T,
    pub(super) undelivered: [T; 3],
    pub(super) invalid_events: T,
    pub(super) presence_failures: T,
    pub(super) relay: [T; 2],
}

impl Counts<u64> {
    /// The totals of this moment.
    pub(super) fn of(metrics: &Metrics) -> Self {
        let mut latency = [0; DELIVERY_NS.len() + 1];
        for (total, count) in latency.iter_mut().zip(metrics.delivery.counts()) {
            *total = count;
        }
        Self {
            received: metrics.messages.iter().map(|channel| channel.get()).sum(),
            delivered: metrics.delivered.get(),
            latency,
            closes: metrics.closes.each_ref().map(|counter| counter.get()),
            refusals: metrics.refusals.each_ref().map(|counter| counter.get()),
            resumes: metrics.resumes.each_ref().map(|counter| counter.get()),
            gaps: metrics.gaps.get(),
            undelivered: metrics.undelivered.each_ref().map(|counter| counter.get()),
            invalid_events: metrics.invalid_events.get(),
            presence_failures: metrics.presence_failures.get(),
            relay: metrics.relay_calls.each_ref().map(|counter| counter.get()),
        }
    }

    /// What was counted since `before`.
    pub(super) fn since(&self, before: &Self) -> Counts<u32> {
        Counts {
            received: less(self.received, before.received),
            delivered: less(self.delivered, before.delivered),
            latency: each(&self.latency, &before.latency),
            closes: each(&self.closes, &before.closes),
            refusals: each(&self.refusals, &before.refusals),
            resumes: each(&self.resumes, &before.resumes),
            gaps: less(self.gaps, before.gaps),
            undelivered: each(&self.undelivered, &before.undelivered),
            invalid_events: less(self.invalid_events, before.invalid_events),
            presence_failures: less(self.presence_failures, before.presence_failures),
            relay: each(&self.relay, &before.relay),
        }
    }
}

fn less(now: u64, before: u64) -> u32 {
    u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX)
}

fn each<const N: usize>(now: &[u64; N], before: &[u64; N]) -> [u32; N] {
    std::array::from_fn(|at| match (now.get(at), before.get(at)) {
        (Some(now), Some(before)) => less(*now, *before),
        _ => 0,
    })
}

impl Serialize for Counts<u32> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refusal = |at: usize| {
            let why = Reason::ALL.get(at).copied().unwrap_or(Reason::Internal);
            format!("{}/{}", why.code(), why.as_str())
        };
        let named = |names: &'static [&'static str]| {
            move |at: usize| names.get(at).copied().unwrap_or_default()
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("received", &self.received)?;
        map.serialize_entry("delivered", &self.delivered)?;
        map.serialize_entry("latency", &self.latency)?;
        map.serialize_entry("closes", &Named(close_code, &self.closes))?;
        map.serialize_entry("refusals", &Named(refusal, &self.refusals))?;
        map.serialize_entry("resumes", &Named(named(&RESUMES), &self.resumes))?;
        map.serialize_entry("gaps", &self.gaps)?;
        map.serialize_entry("undelivered", &Named(named(&UNDELIVERED), &self.undelivered))?;
        map.serialize_entry("invalidEvents", &self.invalid_events)?;
        map.serialize_entry("presenceFailures", &self.presence_failures)?;
        map.serialize_entry("relay", &Named(named(&CALLS), &self.relay))?;
        map.end()
    }
}

/// Counts by name; those that are 0 are left out.
struct Named<'a, F>(F, &'a [u32]);

impl<L: Serialize, F: Fn(usize) -> L> Serialize for Named<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(name, counts) = self;
        let counted = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        serializer.collect_map(counted.map(|(at, count)| (name(at), count)))
    }
}
