//! When to ask again for SQLite's write lock. One connection writes at a time; the others are told
//! "locked" and have to come again, and nobody keeps their order.
//!
//! Whoever asks at random moments is served in random order: at 32 writers the slowest hundredth
//! then waits seven times as long as the median. So the pauses get shorter with age: a statement
//! that has just come leaves the lock to those that have waited for as long as it usually takes, and
//! those ask without a pause. Nothing is shared between instances; each learns what is usual from
//! its own statements.

use std::cell::Cell;
use std::time::Duration;

/// The host's timer knows whole milliseconds.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Of a statement that is near its turn, or past it: what another program holds for seconds must not
/// cost a core.
const PAUSE_LATE_MAX: Duration = Duration::from_millis(8);
/// After the questions without a pause: more of those would take the time of whoever writes.
const PAUSE_LATE: Duration = Duration::from_millis(2);
/// Of a statement that has just come. An estimate that is too long costs no more than this.
const PAUSE_EARLY_MAX: Duration = Duration::from_millis(24);

/// Questions without a pause; each takes about a tenth of a millisecond of a core.
const HASTY_MAX: u32 = 40;
/// With those of a statement that has waited for three times as long as is usual.
const HASTY_OVERDUE_MAX: u32 = 240;

/// Assumed before an instance has waited itself: the wait of some 30 writers.
const USUAL_FIRST: Duration = Duration::from_millis(10);
const USUAL_MIN: Duration = Duration::from_millis(2);
/// A program that held the lock for seconds says nothing about the next wait.
const USUAL_MAX: Duration = Duration::from_millis(200);

/// What an instance knows about waiting for the lock.
pub struct WriteLock {
    /// A moving average of the waits of statements that had to wait.
    usual: Cell<Duration>,
}

/// One statement's wait.
#[derive(Default)]
pub struct Wait {
    hasty: u32,
}

impl Default for WriteLock {
    fn default() -> Self {
        Self { usual: Cell::new(USUAL_FIRST) }
    }
}

impl WriteLock {
    /// The pause before a statement that came `age` ago asks again; zero: at once.
    pub fn pause(&self, wait: &mut Wait, age: Duration) -> Duration {
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
        // Few statements wait for so long; those must not wait longer still.
        if wait.hasty < HASTY_OVERDUE_MAX {
            wait.hasty += 1;
            return Duration::ZERO;
        }
        (age / 256).clamp(PAUSE_MIN, PAUSE_LATE_MAX)
    }

    /// A statement that had to wait got the lock after `age`.
    pub fn got_it(&self, age: Duration) {
        let usual = (self.usual.get() * 3 + age) / 4;
        self.usual.set(usual.clamp(USUAL_MIN, USUAL_MAX));
    }
}

#[cfg(test)]
mod tests;
