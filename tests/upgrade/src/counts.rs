//! What a run counts: successes, answers that a client tries again, and defects, which fail the run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Defects that are shown; the others are only counted.
const SHOWN_MAX: usize = 20;

#[derive(Default)]
pub struct Counts {
    pub created: AtomicU64,
    pub delivered: AtomicU64,
    pub resumed: AtomicU64,
    pub worked: AtomicU64,
    pub read: AtomicU64,
    /// Answers and broken connections after which the same request was sent again, by kind.
    again: Mutex<BTreeMap<String, u64>>,
    defects: Mutex<Vec<String>>,
}

pub fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counts {
    pub fn again(&self, why: impl Into<String>) {
        *self.again.lock().entry(why.into()).or_default() += 1;
    }

    pub fn defect(&self, what: String) {
        self.defects.lock().push(what);
    }

    /// Whether there was no defect, and there was load of every kind.
    pub fn is_clean(&self) -> bool {
        let all = [&self.created, &self.delivered, &self.resumed, &self.worked, &self.read];
        self.defects.lock().is_empty() && all.iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} created, {} delivered over {} resumed sockets, {} messages of a queue, {} reads",
            of(&self.created),
            of(&self.delivered),
            of(&self.resumed),
            of(&self.worked),
            of(&self.read)
        )?;
        for (why, times) in &*self.again.lock() {
            write!(f, "\n  tried again after {why}: {times}")?;
        }
        let defects = self.defects.lock();
        write!(f, "\n  defects: {}", defects.len())?;
        for defect in defects.iter().take(SHOWN_MAX) {
            write!(f, "\n    {defect}")?;
        }
        Ok(())
    }
}
