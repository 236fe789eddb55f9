//! What tells the samples of a family apart: fixed sets, so that a scrape never grows.

/// Where a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Notifications,
    Events,
}

/// Why a message was handed to no socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// No `userId`, no object, no JSON: another service's mistake.
    Unreadable,
    /// The user has no socket here: with several hubs, most messages.
    NotHere,
    /// Ours, and delivered before.
    Repeated,
}

/// What came of `?since=` or `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// There was something to send again.
    Replayed,
    /// The cursor was unreachable.
    Gap,
    /// The client had everything.
    Nothing,
}

/// What was read to catch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    Heads,
    Feeds,
}
