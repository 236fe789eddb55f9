//! What a user's sockets know, and where a position stands to it.

use std::time::Duration;

use shared::wire::Position;

use crate::protocol::GapReason;

/// How far the user's sockets have been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The first read is under way.
    Unread,
    /// Redis was away when the first socket came: something may have been missed since.
    Unknown,
    /// There was no feed at this time (since the Unix epoch).
    Empty {
        at: Duration,
    },
    At(Position),
}

/// Where a position stands to what the sockets have been told.
pub(super) enum Step {
    Old,
    Next,
    /// Adopt it, telling what may be missing.
    Gap(GapReason),
    /// The feed has to be looked at first.
    Uncertain(GapReason),
}

impl Known {
    pub(super) fn step(&self, position: &Position, is_synced: bool) -> Step {
        match self {
            Known::Unread | Known::Unknown => Step::Gap(GapReason::Missed),
            // A feed that had been lost is loaded with its first new entry, whatever its seq.
            Known::Empty { .. } if is_synced || position.seq == 1 => Step::Next,
            Known::Empty { .. } => Step::Uncertain(GapReason::Missed),
            Known::At(last) if last.epoch == position.epoch => {
                match position.seq.saturating_sub(last.seq) {
                    ..=0 => Step::Old,
                    1 => Step::Next,
                    _ => Step::Uncertain(GapReason::Missed),
                }
            }
            // Another epoch is a late message of an old one, or a new record: the feed knows. A
            // message alone is never believed, or one odd publisher could silence a user.
            Known::At(_) => Step::Uncertain(GapReason::Epoch),
        }
    }
}
