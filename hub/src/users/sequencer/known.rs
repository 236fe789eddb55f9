//! The position that a user's sockets have reached, and how a new position relates to it.

use std::time::Duration;

use shared::wire::Position;

use crate::protocol::GapReason;

/// The position that the user's sockets have reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The first read is under way.
    Unread,
    /// Redis was unreachable when the first socket connected: entries may be missing since.
    Unknown,
    /// There was no feed at this time (since the Unix epoch).
    Empty {
        at: Duration,
    },
    At(Position),
}

/// How a new position relates to the known one.
pub(super) enum Step {
    Old,
    Next,
    /// Adopt it, after a gap.
    Gap(GapReason),
    /// The feed has to be read first.
    Uncertain(GapReason),
}

impl Known {
    pub(super) fn seq(&self) -> Option<i64> {
        match self {
            Known::At(position) => Some(position.seq),
            Known::Unread | Known::Unknown | Known::Empty { .. } => None,
        }
    }

    /// How a message relates to it that takes the places above `before` up to `position`.
    pub(super) fn step(&self, position: &Position, before: i64, is_synced: bool) -> Step {
        match self {
            Known::Unread | Known::Unknown => Step::Gap(GapReason::Missed),
            // A lost feed is loaded with its first new entry, whatever its seq.
            Known::Empty { .. } if is_synced || before == 0 => Step::Next,
            Known::Empty { .. } => Step::Uncertain(GapReason::Missed),
            Known::At(last) if last.epoch == position.epoch => match last.seq {
                seq if position.seq <= seq => Step::Old,
                seq if before <= seq => Step::Next,
                _ => Step::Uncertain(GapReason::Missed),
            },
            // Another epoch is a late message of an old one, or a new record: only the feed can
            // tell. One message alone is not enough, or one faulty publisher could silence a user.
            Known::At(_) => Step::Uncertain(GapReason::Epoch),
        }
    }
}
