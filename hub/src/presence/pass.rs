//! The remaining work of one presence pass: the length of the walk, and whether to look for dead
//! hubs.

use redis::{ErrorKind, RedisResult};

use crate::limits::{PRESENCE_RESTORE_BEATS, PRESENCE_RESYNCS_MAX};
use crate::presence::lease::{Answer, Incarnation};

/// The remaining work of one pass.
pub(crate) struct Pass {
    /// Members still to check; a larger number than exist means all.
    restores_left: u64,
    is_whole_walk: bool,
    pub(crate) reaps: bool,
    resyncs_left: usize,
}

impl Pass {
    pub(crate) fn new(incarnation: &Incarnation, is_beat: bool) -> Self {
        let share = incarnation.size().div_ceil(PRESENCE_RESTORE_BEATS).max(1);
        Self {
            restores_left: if is_beat { share } else { 0 },
            is_whole_walk: false,
            reaps: is_beat,
            resyncs_left: PRESENCE_RESYNCS_MAX,
        }
    }

    /// Whether the next call restores a page of members.
    pub(crate) fn restores(&self) -> bool {
        self.restores_left > 0
    }

    /// Counts a resync.
    ///
    /// # Errors
    /// There were too many in this pass.
    pub(crate) fn note_resync(&mut self) -> RedisResult<()> {
        let left = self.resyncs_left.checked_sub(1);
        let why = "Redis loses presence as soon as it is written";
        self.resyncs_left = left.ok_or((ErrorKind::UnexpectedReturnType, why))?;
        Ok(())
    }

    pub(crate) fn note(&mut self, answer: Answer, incarnation: &mut Incarnation) {
        let Answer::Done { seen, restored, is_walk_over, has_dead_users, is_short } = answer else {
            return;
        };
        if restored > 0 {
            tracing::debug!(restored, "other services had removed connected users");
        }
        self.reaps &= has_dead_users;
        // A page can be empty where the table is sparse; the number of calls is bounded all the
        // same.
        self.restores_left = self.restores_left.saturating_sub(seen);
        if is_walk_over {
            self.restores_left = 0;
        }
        if is_short && !self.is_whole_walk {
            self.is_whole_walk = true;
            self.restores_left = u64::MAX;
            incarnation.rewind();
        }
    }
}
