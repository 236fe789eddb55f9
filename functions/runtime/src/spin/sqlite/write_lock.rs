//! When to ask again for SQLite's write lock. One connection writes at a time; the others fail with
//! "locked" and must ask again, and SQLite has no queue for them.
//!
//! Statements that ask at random moments are served in random order: with 32 writers, the slowest
//! hundredth waits seven times as long as the median. So pauses get shorter with age: a new
//! statement leaves the lock to those that have waited for the usual time.
//!
//! Attempts without a pause take the cores from the writer, so there must be few of them. The
//! statements of one instance wait in a line, and only the first in line asks without a pause. If
//! it has waited for too long, the others do not ask at all until it is served: a program that
//! holds the lock for seconds leaves no time to all, and what is left goes to the oldest.
//!
//! Instances share nothing: each has its own line, and learns the usual time from its own
//! statements.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The host's timer has a resolution of one millisecond.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Longest pause of a new statement, and so the cost of an estimate that is too long.
const PAUSE_EARLY_MAX: Duration = Duration::from_millis(24);
/// Longest pause of a statement near its turn.
const PAUSE_NEAR_MAX: Duration = Duration::from_millis(8);
/// Pause of a statement past its turn that has used up its attempts without a pause: a lock that is
/// held for seconds must not keep a core busy.
const PAUSE_LATE: Duration = Duration::from_millis(2);

/// Attempts without a pause; each takes a core about a twentieth of a millisecond.
const HASTY_MAX: u32 = 30;
/// The same in total for a statement that has waited for three times the usual time.
const HASTY_OVERDUE_MAX: u32 = 120;

/// Wait of the first in line after which the others of its instance do not ask. Normal loads rarely
/// reach it: an instance that asks with one statement only is served less often.
const OVERDUE: Duration = Duration::from_millis(200);
/// Pause until the others look whether the first in line has been served.
const HOLD: Duration = Duration::from_millis(4);

/// Assumed before an instance has waited itself: the usual wait with some 50 writers. If it is
/// shorter than the true one, the statements of new instances are served before older ones.
const USUAL_FIRST: Duration = Duration::from_millis(20);
const USUAL_MIN: Duration = Duration::from_millis(2);
/// A program that held the lock for seconds says nothing about the next wait.
const USUAL_MAX: Duration = Duration::from_millis(500);

/// An instance's line for the lock, and its estimate of the wait.
#[derive(Default)]
pub(super) struct WriteLock {
    /// Moving average over the statements that had to wait; `None` before the first one.
    usual: Cell<Option<Duration>>,
    /// Number and start of the waiting statements, oldest first.
    line: RefCell<VecDeque<(u64, Instant)>>,
    joined: Cell<u64>,
}

/// The place in line of one statement; dropping it leaves the line.
pub(super) struct Place<'a> {
    lock: &'a WriteLock,
    number: u64,
    since: Instant,
    /// Attempts without a pause so far.
    hasty: u32,
}

/// What a waiting statement does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ask for the lock after this pause, which may be zero.
    Ask(Duration),
    /// Pause and call [`Place::turn`] again.
    Hold(Duration),
}

impl WriteLock {
    /// Takes the last place in line, for a statement that did not get the lock.
    pub(super) fn join(&self, now: Instant) -> Place<'_> {
        let number = self.joined.get() + 1;
        self.joined.set(number);
        self.line.borrow_mut().push_back((number, now));
        Place { lock: self, number, since: now, hasty: 0 }
    }

    fn usual(&self) -> Duration {
        self.usual.get().unwrap_or(USUAL_FIRST)
    }
}

impl Place<'_> {
    /// What to do after an attempt that failed, or after a [`Turn::Hold`].
    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        let first = self.lock.line.borrow().front().copied();
        let (number, since) = first.unwrap_or((self.number, self.since));
        let is_first = number == self.number;
        let (age, first_age) = (age(self.since, now), age(since, now));
        match (is_first, first_age > OVERDUE) {
            (true, true) => Turn::Ask(self.hastily(HASTY_OVERDUE_MAX)),
            (true, false) => Turn::Ask(self.pause(age, self.lock.usual())),
            (false, true) => Turn::Hold(HOLD),
            // Its turn comes after that of the first in line.
            (false, false) => Turn::Ask(self.pause(age, self.lock.usual().max(first_age))),
        }
    }

    fn pause(&mut self, age: Duration, usual: Duration) -> Duration {
        if age < usual / 2 {
            (usual / 4).clamp(PAUSE_MIN, PAUSE_EARLY_MAX)
        } else if age < usual {
            (usual / 8).clamp(PAUSE_MIN, PAUSE_NEAR_MAX)
        } else if age < usual * 3 {
            self.hastily(HASTY_MAX)
        } else {
            // Few statements wait this long, and these must not wait much longer.
            self.hastily(HASTY_OVERDUE_MAX)
        }
    }

    /// No pause, up to `max` times.
    fn hastily(&mut self, max: u32) -> Duration {
        if self.hasty >= max {
            return PAUSE_LATE;
        }
        self.hasty += 1;
        Duration::ZERO
    }

    /// The statement got the lock.
    pub(super) fn served(self, now: Instant) {
        let age = age(self.since, now);
        let usual = self.lock.usual.get().map_or(age, |usual| (usual * 3 + age) / 4);
        self.lock.usual.set(Some(usual.clamp(USUAL_MIN, USUAL_MAX)));
    }
}

fn age(since: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(since)
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.lock.line.borrow_mut().retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests;
