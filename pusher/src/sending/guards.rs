//! The two guards of one scope: jobs together, or one campaign. Dead addresses beyond a fifth of a
//! minute's answers are not removed any more; mismatches beyond it are a wrong credential.

use std::time::Instant;

use parking_lot::Mutex;
use push::guard::Guard;

use crate::metrics::Metrics;

/// What is guarded, for the log.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Jobs,
    Campaign(String),
}

#[derive(Debug)]
pub(crate) struct Guards {
    scope: Scope,
    dead: Mutex<Guard>,
    mismatch: Mutex<Guard>,
}

impl Guards {
    pub(crate) fn new(scope: Scope) -> Self {
        let now = Instant::now();
        Self { scope, dead: Mutex::new(Guard::new(now)), mismatch: Mutex::new(Guard::new(now)) }
    }

    /// An accepted push.
    pub(super) fn good(&self, now: Instant) {
        self.dead.lock().count(false, now);
        self.mismatch.lock().count(false, now);
    }

    /// A gone address; returns whether it may be removed.
    pub(super) fn gone(&self, now: Instant, metrics: &Metrics) -> bool {
        self.mismatch.lock().count(false, now);
        let mut guard = self.dead.lock();
        let was_tripped = guard.is_tripped();
        let may = guard.count(true, now);
        if guard.is_tripped() && !was_tripped {
            metrics.many_invalid();
            tracing::error!(
                scope = ?self.scope,
                "more than a fifth of a minute's addresses are gone: none is removed any more"
            );
        }
        may
    }

    /// An address that does not belong to the credential; returns whether that is the address'
    /// problem rather than the credential's.
    pub(super) fn mismatch(&self, now: Instant, metrics: &Metrics) -> bool {
        self.dead.lock().count(false, now);
        let mut guard = self.mismatch.lock();
        let was_tripped = guard.is_tripped();
        let is_single = guard.count(true, now);
        if guard.is_tripped() && !was_tripped {
            metrics.many_mismatches();
            tracing::error!(
                scope = ?self.scope,
                "more than a fifth of a minute's addresses do not belong to the credential"
            );
        }
        is_single
    }

    /// One of the guards has tripped.
    pub(crate) fn has_tripped(&self) -> bool {
        self.has_many_invalid() || self.mismatch.lock().is_tripped()
    }

    /// Too many addresses are dead.
    pub(crate) fn has_many_invalid(&self) -> bool {
        self.dead.lock().is_tripped()
    }
}
