//! How long a value may be used, and how patient its readers are.

use std::time::Duration;

use shared::limits::{CACHE_KEEP_MS_MAX, CACHE_TAG_KEEP_MS, CACHE_VALUE_BYTES};

use super::limits::Limits;

/// The times of a resource. Windows after `fresh` begin where freshness ends (RFC 5861).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub fresh: Duration,
    /// Served at once while one reader refreshes it.
    pub stale: Duration,
    /// Served where refreshing fails.
    pub error: Duration,
    /// How long "not found" is remembered.
    pub absent: Duration,
    /// How long a source that failed is left alone.
    pub cool_down: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(60),
            stale: Duration::from_secs(300),
            error: Duration::from_secs(3600),
            absent: Duration::from_secs(10),
            cool_down: Duration::from_secs(2),
        }
    }
}

/// What a value is cached with. Made once per resource: it holds what a read sends.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Stands in logs.
    pub name: String,
    pub windows: Windows,
    /// Longest that a reader waits for a refresh where it could be served something older.
    pub soft_timeout: Duration,
    /// Longest that a fetch may take.
    pub timeout: Duration,
    /// Largest value.
    pub bytes_max: usize,
    /// As cache_read.lua takes it.
    pub(super) text: String,
}

/// A lease outlives the longest fetch by this: the call that writes has a deadline of one second.
const LEASE_MARGIN: Duration = Duration::from_secs(2);

impl Policy {
    pub const SOFT_TIMEOUT: Duration = Duration::from_millis(1500);
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    pub fn new(name: &str, windows: Windows) -> Self {
        Self::with_timeouts(name, windows, Self::SOFT_TIMEOUT, Self::TIMEOUT)
    }

    pub fn with_timeouts(
        name: &str,
        windows: Windows,
        soft_timeout: Duration,
        timeout: Duration,
    ) -> Self {
        let mut policy = Self {
            name: name.to_owned(),
            windows,
            soft_timeout,
            timeout,
            bytes_max: CACHE_VALUE_BYTES,
            text: String::new(),
        };
        policy.text = format!(
            "{} {} {} {} {} {CACHE_TAG_KEEP_MS}",
            policy.lease().as_millis(),
            windows.fresh.as_millis(),
            windows.stale.as_millis(),
            windows.error.as_millis(),
            policy.keep_ms(windows.fresh, &Limits::default()),
        );
        policy
    }

    /// How long a fetch keeps others from fetching: what the death of a leader costs.
    pub fn lease(&self) -> Duration {
        self.timeout + LEASE_MARGIN
    }

    /// How long a reader without anything waits for others: a leader's death and its successor's
    /// whole fetch. After that it fetches for itself.
    pub(super) fn wait(&self) -> Duration {
        self.lease() + self.timeout
    }

    /// Life of a value with this freshness: to the end of the windows, at least a moment.
    pub(super) fn keep_ms(&self, fresh: Duration, limits: &Limits) -> u64 {
        let stale = self.windows.stale.min(limits.stale.unwrap_or(Duration::MAX));
        let error = self.windows.error.min(limits.error.unwrap_or(Duration::MAX));
        let keep = fresh.saturating_add(stale.max(error));
        u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1000, CACHE_KEEP_MS_MAX)
    }
}
