//! The two guards of one scope: jobs together, or one campaign. Dead addresses beyond a fifth of a
//! minute's answers are not removed any more; mismatches beyond it are a wrong credential.

use std::fmt;
use std::time::Instant;

use parking_lot::Mutex;
use push::guard::Guard;

use crate::limits::MISMATCH_FOR;
use crate::metrics::Metrics;

/// What is guarded, for the log.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Jobs,
    Campaign(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Jobs => f.write_str("notifications"),
            Scope::Campaign(id) => write!(f, "campaign {id}"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Guards {
    scope: Scope,
    dead: Mutex<Guard>,
    mismatch: Mutex<Mismatch>,
}

/// Unlike a removal, a pause can be undone: the guard begins again by itself.
#[derive(Debug)]
struct Mismatch {
    guard: Guard,
    tripped: Option<Instant>,
}

impl Guards {
    pub(crate) fn new(scope: Scope) -> Self {
        let now = Instant::now();
        let mismatch = Mutex::new(Mismatch { guard: Guard::new(now), tripped: None });
        Self { scope, dead: Mutex::new(Guard::new(now)), mismatch }
    }

    /// An accepted push.
    pub(super) fn good(&self, now: Instant) {
        self.dead.lock().count(false, now);
        self.mismatch.lock().guard.count(false, now);
    }

    /// A gone address; returns whether it may be removed.
    pub(super) fn gone(&self, now: Instant, metrics: &Metrics) -> bool {
        self.mismatch.lock().guard.count(false, now);
        let mut guard = self.dead.lock();
        let was_tripped = guard.is_tripped();
        let may = guard.count(true, now);
        if guard.is_tripped() && !was_tripped {
            metrics.many_invalid();
            tracing::error!(
                scope = %self.scope,
                "more than a fifth of a minute's addresses are gone: none is removed any more"
            );
        }
        may
    }

    /// An address that does not belong to the credential; returns whether that is the address'
    /// problem rather than the credential's.
    pub(super) fn mismatch(&self, now: Instant, metrics: &Metrics) -> bool {
        self.dead.lock().count(false, now);
        let mut mismatch = self.mismatch.lock();
        let Mismatch { guard, tripped } = &mut *mismatch;
        if tripped.is_some_and(|since| now.saturating_duration_since(since) > MISMATCH_FOR) {
            *tripped = None;
            guard.reset(now);
        }
        let is_single = guard.count(true, now);
        if guard.is_tripped() && tripped.is_none() {
            *tripped = Some(now);
            metrics.many_mismatches();
            tracing::error!(
                scope = %self.scope,
                "more than a fifth of a minute's addresses do not belong to the credential"
            );
        }
        is_single
    }

    /// One of the guards has tripped.
    pub(crate) fn has_tripped(&self) -> bool {
        self.has_many_invalid() || self.mismatch.lock().guard.is_tripped()
    }

    /// Too many addresses are dead.
    pub(crate) fn has_many_invalid(&self) -> bool {
        self.dead.lock().is_tripped()
    }
}
