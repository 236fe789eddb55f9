//! When to ask again for SQLite's write lock. One connection writes at a time; the others fail with
//! "locked" and must ask again, and SQLite has no queue for them.
//!
//! Statements that ask at random moments are served in random order: with 32 writers, the slowest
//! hundredth waits seven times as long as the median. So pauses get shorter with age: a new
//! statement leaves the lock to those that have waited for the usual time, and these ask without a
//! pause. Instances share nothing; each learns the usual time from its own statements.

use std::cell::Cell;
use std::time::Duration;

/// The host's timer has a resolution of one millisecond.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Longest pause of a statement near its turn or past it: it must not keep a core busy while
/// another program holds the lock for seconds.
const PAUSE_LATE_MAX: Duration = Duration::from_millis(8);
/// Pause after the attempts without pauses: more of those would slow down the writer.
const PAUSE_LATE: Duration = Duration::from_millis(2);
/// Longest pause of a new statement, and so the cost of an estimate that is too long.
const PAUSE_EARLY_MAX: Duration = Duration::from_millis(24);

/// Attempts without a pause; each takes a core about a tenth of a millisecond.
const HASTY_MAX: u32 = 40;
/// The same in total for a statement that has waited for three times the usual time.
const HASTY_OVERDUE_MAX: u32 = 240;

/// Assumed before an instance has waited itself: the usual wait with some 30 writers.
const USUAL_FIRST: Duration = Duration::from_millis(10);
const USUAL_MIN: Duration = Duration::from_millis(2);
/// A program that held the lock for seconds says nothing about the next wait.
const USUAL_MAX: Duration = Duration::from_millis(200);

/// An instance's estimate of the wait for the lock.
pub(super) struct WriteLock {
    /// Moving average over the statements that had to wait.
    usual: Cell<Duration>,
}

/// The wait of one statement.
#[derive(Default)]
pub(super) struct Wait {
    /// Attempts without a pause so far.
    hasty: u32,
}

impl Default for WriteLock {
    fn default() -> Self {
        Self { usual: Cell::new(USUAL_FIRST) }
    }
}

impl WriteLock {
    /// The pause of a statement that has waited for `age`; zero: ask at once.
    pub(super) fn pause(&self, wait: &mut Wait, age: Duration) -> Duration {
        let usual = self.usual.get();
        if age < usual / 2 {
            return (usual / 4).clamp(PAUSE_MIN, PAUSE_EARLY_MAX);
        }
        if age < usual {
            return (usual / 8).clamp(PAUSE_MIN, PAUSE_LATE_MAX);
        }
        if wait.hasty < HASTY_MAX {
            wait.hasty += 1;
            return Duration::ZERO;
        }
        if age < usual * 3 {
            return PAUSE_LATE;
        }
        // Few statements wait this long, and these must not wait much longer.
        if wait.hasty < HASTY_OVERDUE_MAX {
            wait.hasty += 1;
            return Duration::ZERO;
        }
        (age / 256).clamp(PAUSE_MIN, PAUSE_LATE_MAX)
    }

    /// A statement that had to wait got the lock after `age`.
    pub(super) fn got_it(&self, age: Duration) {
        let usual = (self.usual.get() * 3 + age) / 4;
        self.usual.set(usual.clamp(USUAL_MIN, USUAL_MAX));
    }
}

#[cfg(test)]
mod tests;
