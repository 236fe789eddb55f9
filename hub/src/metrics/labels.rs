//! What tells the samples of a family apart: fixed sets, so that a scrape never grows.

/// Where a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Notifications,
    Events,
}

/// Why a message was handed to no socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// No `userId`, no object, no JSON: another service's mistake.
    Unreadable,
    /// The user has no socket here: with several hubs, most messages.
    NotHere,
    /// The hub could not keep up; the feeds bring everyone up to date.
    Shed,
}

/// What came of `?since=` or `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// There was something to send again.
    Replayed,
    /// The cursor was unreachable.
    Gap,
    /// The client had everything.
    Nothing,
}

/// What was read to catch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatchUp {
    Heads,
    Feeds,
}
