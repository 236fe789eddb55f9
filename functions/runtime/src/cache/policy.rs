//! How long a value may be served, and how long its readers wait.

use std::rc::Rc;
use std::time::Duration;

use shared::limits::{CACHE_KEEP_MS_MAX, CACHE_TAG_KEEP_MS, CACHE_VALUE_BYTES};

use super::demands::Demands;

/// The times of a resource. The cache windows `stale` and `error` begin when freshness ends (RFC
/// 5861).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Freshness lifetime: a value is served without a fetch.
    pub fresh: Duration,
    /// Time after it for which a value is served at once while one reader refreshes it.
    pub stale: Duration,
    /// Time after `fresh` for which a value is served if refreshing fails.
    pub error: Duration,
    /// Time for which "not found" is remembered.
    pub absent: Duration,
    /// Time after a failed fetch in which no reader fetches again.
    pub cool_down: Duration,
}

impl Default for Windows {
    /// 60 s fresh, 5 min stale, 1 h on errors, 10 s absent, 2 s cool-down.
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

/// How the values of one resource are cached. Build one per resource and keep it, in a
/// `thread_local!`: it contains the text that every read sends. Clones are cheap.
///
/// The timeout determines the cache lease, and so the longest time for which a reader that dies
/// while it fetches delays the others: see [`Policy::lease`].
///
/// ```
/// use std::time::Duration;
/// use runtime::cache::Policy;
///
/// let policy = Policy::new("prices")
///     .fresh(Duration::from_secs(30))
///     .stale(Duration::from_secs(600))
///     .timeout(Duration::from_secs(2));
/// assert_eq!(policy.windows().fresh, Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
pub struct Policy(Rc<Settings>);

#[derive(Clone, Debug)]
struct Settings {
    name: String,
    windows: Windows,
    soft_timeout: Duration,
    timeout: Duration,
    bytes_max: usize,
    local: Duration,
    is_counted: bool,
    /// The times as arguments of `cache_read.lua`, derived from the other fields by every setter.
    text: String,
}

/// A cache lease outlives the longest fetch by this. The call that writes the value has a deadline
/// of one second.
const LEASE_MARGIN: Duration = Duration::from_secs(2);

const SOFT_TIMEOUT: Duration = Duration::from_millis(1500);
const TIMEOUT: Duration = Duration::from_secs(5);

impl Policy {
    /// A policy with the times of [`Windows::default`], a timeout of 5 s, a soft timeout of 1.5 s
    /// and values up to 1 MiB. Logs refer to the resource by `name`.
    pub fn new(name: &str) -> Self {
        let settings = Settings {
            name: name.to_owned(),
            windows: Windows::default(),
            soft_timeout: SOFT_TIMEOUT,
            timeout: TIMEOUT,
            bytes_max: CACHE_VALUE_BYTES,
            local: Duration::ZERO,
            is_counted: false,
            text: String::new(),
        };
        Self(Rc::new(settings)).set(|_| {})
    }

    /// Sets the freshness lifetime, for which a value is served without a fetch.
    #[must_use]
    pub fn fresh(self, time: Duration) -> Self {
        self.set(|settings| settings.windows.fresh = time)
    }

    /// Sets the time after the freshness lifetime for which a value is served at once while one
    /// reader refreshes it.
    #[must_use]
    pub fn stale(self, time: Duration) -> Self {
        self.set(|settings| settings.windows.stale = time)
    }

    /// Sets the time after the freshness lifetime for which a value is served if refreshing fails.
    #[must_use]
    pub fn error(self, time: Duration) -> Self {
        self.set(|settings| settings.windows.error = time)
    }

    /// Sets the time for which "not found" is remembered.
    #[must_use]
    pub fn absent(self, time: Duration) -> Self {
        self.set(|settings| settings.windows.absent = time)
    }

    /// Sets the time after a failed fetch in which no reader fetches again.
    #[must_use]
    pub fn cool_down(self, time: Duration) -> Self {
        self.set(|settings| settings.windows.cool_down = time)
    }

    /// Sets all five times at once.
    #[must_use]
    pub fn with_windows(self, windows: Windows) -> Self {
        self.set(|settings| settings.windows = windows)
    }

    /// Sets the time for which a reader waits for the refresh of a value past its stale time,
    /// before it is served that value.
    #[must_use]
    pub fn soft_timeout(self, time: Duration) -> Self {
        self.set(|settings| settings.soft_timeout = time)
    }

    /// Sets the longest time of a fetch; a longer one is dropped and counts as a failure.
    #[must_use]
    pub fn timeout(self, time: Duration) -> Self {
        self.set(|settings| settings.timeout = time)
    }

    /// Sets the largest size of a value in bytes; a larger one counts as a failure of the source.
    #[must_use]
    pub fn bytes_max(self, bytes: usize) -> Self {
        self.set(|settings| settings.bytes_max = bytes)
    }

    /// Lets an instance answer from its own copy of a fresh value for so long, without Redis; zero,
    /// the default, for not at all. Invalidations and other services' writes take effect after at
    /// most that time. Values above 64 KiB are not copied.
    #[must_use]
    pub fn local(self, time: Duration) -> Self {
        self.set(|settings| settings.local = time)
    }

    /// Counts reads and fetches under the policy's name, for [`Totals::read`](super::Totals::read).
    /// The instances write what they have counted about once a second. Use it for a fixed set of
    /// names only: each is some fields in Redis.
    #[must_use]
    pub fn counted(self) -> Self {
        self.set(|settings| settings.is_counted = true)
    }

    /// The times of the resource.
    pub fn windows(&self) -> Windows {
        self.0.windows
    }

    /// The time for which a fetch keeps other readers from fetching: the timeout plus two seconds.
    /// A reader that dies while it fetches delays the others by the rest of it.
    pub fn lease(&self) -> Duration {
        self.0.timeout + LEASE_MARGIN
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let settings = Rc::make_mut(&mut self.0);
        change(settings);
        let Windows { fresh, stale, error, .. } = settings.windows;
        settings.text = format!(
            "{} {} {} {} {} {CACHE_TAG_KEEP_MS}",
            (settings.timeout + LEASE_MARGIN).as_millis(),
            fresh.as_millis(),
            stale.as_millis(),
            error.as_millis(),
            keep_ms(settings.windows, fresh, &Demands::default()),
        );
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn is_counted(&self) -> bool {
        self.0.is_counted
    }

    pub(super) fn soft_wait(&self) -> Duration {
        self.0.soft_timeout
    }

    pub(super) fn fetch_deadline(&self) -> Duration {
        self.0.timeout
    }

    pub(super) fn value_bytes_max(&self) -> usize {
        self.0.bytes_max
    }

    /// The time of an instance's copies; `None` without them.
    pub(super) fn copy_time(&self) -> Option<Duration> {
        Some(self.0.local).filter(|time| !time.is_zero())
    }

    /// The times as arguments of `cache_read.lua`.
    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    /// The longest time for which a reader without a value waits for other readers: the cache lease
    /// of one that died, and the whole fetch of its successor. Then it fetches for itself.
    pub(super) fn wait(&self) -> Duration {
        self.lease() + self.0.timeout
    }

    /// Milliseconds for which a value with this freshness is stored: to the end of its cache
    /// windows, at least one second.
    pub(super) fn keep_ms(&self, fresh: Duration, demands: &Demands) -> u64 {
        keep_ms(self.0.windows, fresh, demands)
    }
}

fn keep_ms(windows: Windows, fresh: Duration, demands: &Demands) -> u64 {
    let stale = windows.stale.min(demands.stale.unwrap_or(Duration::MAX));
    let error = windows.error.min(demands.error.unwrap_or(Duration::MAX));
    let keep = fresh.saturating_add(stale.max(error));
    u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1000, CACHE_KEEP_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every setter updates the script's times and the cache lease, in any order.
    #[test]
    fn what_is_derived_follows_every_setter() {
        let secs = Duration::from_secs;
        let policy = Policy::new("x").timeout(secs(9)).fresh(secs(1)).stale(secs(2)).error(secs(3));
        assert_eq!(policy.text(), format!("11000 1000 2000 3000 4000 {CACHE_TAG_KEEP_MS}"));
        assert_eq!((policy.lease(), policy.wait()), (secs(11), secs(20)));
        let before = policy.clone();
        let after = policy.timeout(secs(1)).with_windows(Windows::default());
        assert!(after.text().starts_with("3000 60000 300000 3600000 3660000 "));
        assert!(before.text().starts_with("11000 1000 "), "a clone is not changed");
    }
}
