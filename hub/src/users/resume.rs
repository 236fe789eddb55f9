//! Decides what a reconnecting client has missed: all entries of its feed above its cursor. No I/O;
//! [`crate::delivery::catchup`] reads the feed.

use shared::wire::Position;
use shared::{Code, Error};

use crate::limits::REPLAY_BYTES_MAX;
use crate::metrics::Resume;
use crate::protocol::{GapReason, Outgoing};
use crate::redis::feed_reader::{Feed, FeedEntry};

/// Longest cursor considered, in bytes: an epoch is a UUID, an id has at most 128 bytes.
const CURSOR_BYTES_MAX: usize = 256;

/// The last notification that a client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    At(Position),
    /// The id of a feed element, Bellwire's or another service's.
    Id(Box<str>),
    /// A malformed `Last-Event-ID`: the client cannot correct it, and is sent a gap.
    Unknown,
}

/// The events that bring a client up to date.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replay {
    /// In order, with a [`Outgoing::Gap`] where entries are missing.
    pub(crate) events: Vec<Outgoing>,
    /// The position that the client has reached afterwards.
    pub(crate) upto: Option<Position>,
}

impl Replay {
    /// The result, for the metrics.
    pub(crate) fn outcome(&self) -> Resume {
        match self.events.as_slice() {
            [] => Resume::Nothing,
            _ if self.is_complete() => Resume::Replayed,
            _ => Resume::Gap,
        }
    }

    /// Whether the client gets everything that it missed.
    pub(crate) fn is_complete(&self) -> bool {
        !self.events.iter().any(|event| matches!(event, Outgoing::Gap { .. }))
    }
}

impl Cursor {
    /// Parses `?since=seq:<n>&epoch=<epoch>` or `?since=id:<id>`.
    ///
    /// # Errors
    /// `invalid_field` or `missing_field`, naming the parameter.
    pub fn from_query(query: &[(String, String)]) -> Result<Option<Self>, Error> {
        let get = |name| query.iter().find(|(known, _)| known == name).map(|pair| pair.1.as_str());
        let Some(since) = get("since") else {
            return match get("epoch") {
                Some(_) => Err(Error::field(
                    Code::MissingField,
                    "since",
                    "is missing although epoch is given",
                )),
                None => Ok(None),
            };
        };
        let invalid = |field, problem| Error::field(Code::InvalidField, field, problem);
        if since.len() > CURSOR_BYTES_MAX {
            return Err(invalid("since", "must be at most 256 bytes long"));
        }
        if let Some(id) = since.strip_prefix("id:").filter(|id| !id.is_empty()) {
            return Ok(Some(Cursor::Id(id.into())));
        }
        let seq = since.strip_prefix("seq:").and_then(|seq| seq.parse().ok());
        let Some(seq @ 0..) = seq else {
            return Err(invalid("since", "must be seq:<n> or id:<id>"));
        };
        match get("epoch") {
            None => Err(Error::field(
                Code::MissingField,
                "epoch",
                "is missing; since=seq:<n> requires it",
            )),
            Some(epoch) if epoch.is_empty() || epoch.len() > CURSOR_BYTES_MAX => {
                Err(invalid("epoch", "must be 1 to 256 bytes long"))
            }
            Some(epoch) => Ok(Some(Cursor::At(Position { epoch: epoch.into(), seq }))),
        }
    }

    /// Parses `Last-Event-ID`, as the hub writes it: `<epoch>:<seq>`.
    pub fn from_event_id(id: &[u8]) -> Self {
        let id = Some(id).filter(|id| id.len() <= CURSOR_BYTES_MAX);
        let id = id.and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| id.rsplit_once(':'));
        match id.map(|(epoch, seq)| (epoch, seq.parse())) {
            Some((epoch, Ok(seq @ 0..))) if !epoch.is_empty() => {
                Cursor::At(Position { epoch: epoch.into(), seq })
            }
            _ => Cursor::Unknown,
        }
    }

    /// The entries of a feed above the cursor.
    pub(crate) fn replay(&self, feed: &Feed) -> Replay {
        let Some(head) = &feed.head else {
            // The client's entries may be published again when the feed is loaded.
            let upto = if let Cursor::At(at) = self { Some(at.clone()) } else { None };
            let nothing = || Replay { upto, ..gap(GapReason::Missed, None) };
            return self.replay_foreign(feed).unwrap_or_else(nothing);
        };
        match self {
            Cursor::At(at) if at.epoch != head.epoch => gap(GapReason::Epoch, Some(head)),
            // The feed is behind (a failover to an older replica): the client waits for it.
            Cursor::At(at) if at.seq > head.seq => {
                Replay { events: Vec::new(), upto: Some(at.clone()) }
            }
            Cursor::At(at) => {
                let is_below = |seq| seq <= at.seq;
                let below =
                    feed.entries.iter().rposition(|e| e.ours.is_some_and(|o| is_below(o.seq)));
                // Foreign elements below all of Bellwire's are assumed to be older than the cursor.
                let first = feed.entries.iter().position(|entry| entry.ours.is_some());
                let start = below.map(|at| at + 1).or(first).unwrap_or(feed.entries.len());
                above(feed, head, start, Some(at.seq))
            }
            Cursor::Id(id) => {
                let found = feed.entries.iter().position(|entry| has_id(&entry.notification, id));
                let Some(found) = found else { return gap(GapReason::Missed, Some(head)) };
                let below = feed.entries.iter().take(found + 1).rev();
                let seq = below.filter_map(|entry| entry.ours).map(|ours| ours.seq).next();
                above(feed, head, found + 1, seq)
            }
            Cursor::Unknown => gap(GapReason::Missed, Some(head)),
        }
    }
}

impl Cursor {
    /// The replay of a feed without a head, which only other services write: an element's id is a
    /// cursor there, too.
    fn replay_foreign(&self, feed: &Feed) -> Option<Replay> {
        let Cursor::Id(id) = self else { return None };
        let found = feed.entries.iter().position(|entry| has_id(&entry.notification, id))?;
        let above = feed.entries.get(found + 1..)?;
        // Bellwire's entries without their head: the position that they continue is unknown.
        if above.iter().any(|entry| entry.ours.is_some()) || is_too_large(above) {
            return None;
        }
        let event = |entry: &FeedEntry| Outgoing::Notification {
            text: entry.notification.clone(),
            position: None,
        };
        Some(Replay { events: above.iter().map(event).collect(), upto: None })
    }
}

/// Whether the entries exceed the limit of a replay.
fn is_too_large(entries: &[FeedEntry]) -> bool {
    entries.iter().map(|entry| entry.notification.len()).sum::<usize>() > REPLAY_BYTES_MAX
}

/// The entries from `start` on. `seq` is the last of Bellwire's below them, if known.
fn above(feed: &Feed, head: &Position, start: usize, seq: Option<i64>) -> Replay {
    let missed = |seq| Outgoing::Gap {
        reason: GapReason::Missed,
        position: Some(Position { seq, ..head.clone() }),
    };
    if feed.entries.get(start..).is_some_and(is_too_large) {
        return gap(GapReason::Missed, Some(head));
    }
    let mut events = Vec::new();
    let mut is_anchored = seq.is_none_or(|seq| feed.is_anchored(seq));
    let mut last = seq;
    for entry in feed.entries.iter().skip(start) {
        if let Some(ours) = entry.ours {
            if last.is_some_and(|last| ours.seq > last.saturating_add(1)) && !is_anchored {
                events.push(missed(ours.seq - 1));
            }
            last = Some(ours.seq);
            is_anchored = feed.is_intact;
        }
        if !entry.is_silent {
            events.push(entry.event(&head.epoch));
        }
    }
    if last.is_none_or(|last| last < head.seq) && !is_anchored {
        events.push(missed(head.seq));
    }
    Replay { events, upto: Some(head.clone()) }
}

fn gap(reason: GapReason, head: Option<&Position>) -> Replay {
    let position = head.cloned();
    Replay { events: vec![Outgoing::Gap { reason, position: position.clone() }], upto: position }
}

/// Whether a notification, Bellwire's or not, has this `id`.
fn has_id(notification: &[u8], id: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Identified<'a> {
        #[serde(borrow)]
        id: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Identified<'_>>(notification).is_ok_and(|found| found.id == id)
}

#[cfg(test)]
mod tests;
