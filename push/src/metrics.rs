//! Plain counters of everything that was sent, for a worker's `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::outcome::Outcome;

/// Names of the services, in the order of [`Kind`].
pub const KINDS: [&str; 3] = ["fcm", "webpush", "apns"];
/// Names of the results, as [`Outcome::label`].
pub const RESULTS: [&str; 7] = ["accepted", "gone", "refused", "mismatch", "retry", "hold", "stop"];
/// Upper bounds in seconds of the histogram's buckets.
pub const SECONDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// A push service's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Fcm,
    WebPush,
    Apns,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fcm => "fcm",
            Kind::WebPush => "webpush",
            Kind::Apns => "apns",
        }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    sent: [[AtomicU64; RESULTS.len()]; KINDS.len()],
    seconds: [AtomicU64; SECONDS.len() + 1],
    micros: AtomicU64,
    in_flight: AtomicU64,
    doubtful: AtomicU64,
}

/// A copy of the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By kind and result.
    pub sent: [[u64; RESULTS.len()]; KINDS.len()],
    /// Requests per bucket of [`SECONDS`], the last one for longer ones; not cumulative.
    pub seconds: [u64; SECONDS.len() + 1],
    /// Sum of all requests in microseconds.
    pub micros: u64,
    pub in_flight: u64,
    /// Pushes of which it is unknown whether the service accepted them.
    pub doubtful: u64,
}

impl Snapshot {
    /// Pushes of a kind that ended so; 0 for an unknown result.
    #[must_use]
    pub fn sent(&self, kind: Kind, result: &str) -> u64 {
        let row = self.sent.get(kind as usize);
        let column = RESULTS.iter().position(|name| *name == result);
        row.zip(column).and_then(|(row, column)| row.get(column)).copied().unwrap_or(0)
    }
}

impl Metrics {
    pub(crate) fn ended(&self, kind: Kind, outcome: &Outcome) {
        let column = RESULTS.iter().position(|name| *name == outcome.label());
        let counter = self.sent.get(kind as usize).zip(column).and_then(|(row, c)| row.get(c));
        if let Some(counter) = counter {
            counter.fetch_add(1, Relaxed);
        }
        if matches!(outcome, Outcome::Retry { in_doubt: true, .. }) {
            self.doubtful.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(SECONDS.len());
        if let Some(counter) = self.seconds.get(bucket) {
            counter.fetch_add(1, Relaxed);
        }
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn entered(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self)
    }

    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        Snapshot {
            sent: std::array::from_fn(|k| std::array::from_fn(|r| load(&self.sent[k][r]))),
            seconds: std::array::from_fn(|b| load(&self.seconds[b])),
            micros: load(&self.micros),
            in_flight: load(&self.in_flight),
            doubtful: load(&self.doubtful),
        }
    }
}

/// Counts one push out when it is dropped, also with its task.
pub(crate) struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_counter() {
        let metrics = Metrics::default();
        let retry = Outcome::Retry { reason: "timeout", after: None, in_doubt: true };
        let hold = Outcome::Hold { reason: "quota", wait: Duration::ZERO };
        for outcome in [
            Outcome::Accepted,
            Outcome::Gone("gone"),
            Outcome::refused("x"),
            Outcome::Mismatch("x"),
            retry,
            hold,
            Outcome::Stop("x"),
        ] {
            metrics.ended(Kind::WebPush, &outcome);
        }
        metrics.took(Duration::from_millis(30));
        metrics.took(Duration::from_secs(20));
        let entered = metrics.entered();
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.sent, [[0; 7], [1; 7], [0; 7]]);
        assert_eq!((snapshot.doubtful, snapshot.in_flight), (1, 1));
        assert_eq!((snapshot.seconds[2], snapshot.seconds[9]), (1, 1));
        assert_eq!(snapshot.sent(Kind::WebPush, "gone"), 1);
        assert_eq!(snapshot.sent(Kind::WebPush, "lost"), 0);
        drop(entered);
        assert_eq!(metrics.snapshot().in_flight, 0);
    }
}
