//! Label values: fixed sets, so that the size of a scrape is fixed.

/// The channel of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Notifications,
    Events,
}

/// Why a message was not sent to any socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// No `userId`, not an object or not JSON: another service's mistake.
    Unreadable,
    /// The user has no socket on this hub: most messages, with several hubs.
    NotHere,
    /// Dropped because the hub could not keep up; users are brought up to date from the feeds.
    Shed,
}

/// The result of `?since=` or `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Entries were replayed.
    Replayed,
    /// The position was not reachable.
    Gap,
    /// The client was up to date.
    Nothing,
}

/// The kind of read for catching up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatchUp {
    Heads,
    Feeds,
}

/// Why a user's own channel has to be subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The user came.
    First,
    /// Its slot has moved to another server.
    Moved,
    /// The connection was lost.
    Closed,
}

/// What became of a message that the bridge received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bridged {
    Forwarded,
    /// Bellwire's, which the functions publish on the user's channel themselves.
    Ours,
    /// It has no recipient.
    Unreadable,
    /// The lease had ended: the next holder may forward it.
    Late,
    /// Redis did not answer.
    Failed,
    /// Too many were waiting.
    Shed,
}
