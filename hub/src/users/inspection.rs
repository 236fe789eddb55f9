//! A user's sockets, for operators.

use std::time::Duration;

use shared::UserId;

use crate::limits::CONSOLE_USER_SOCKETS_MAX;
use crate::protocol::Protocol;
use crate::users::Registry;

/// The state of one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketState {
    pub(crate) protocol: Protocol,
    pub(crate) age: Duration,
    pub(crate) queued_bytes: usize,
    /// The `seq` that it has reached; `None` before that is known, and while it waits for the feed.
    pub(crate) last_seq: Option<i64>,
}

impl Registry {
    /// The user's sockets on this hub, oldest first; at most [`CONSOLE_USER_SOCKETS_MAX`].
    pub(crate) fn sockets_of(&self, user: &UserId) -> Vec<SocketState> {
        let shard = self.shard(user.as_str());
        let Some(user) = shard.get(user) else { return Vec::new() };
        let reached = user.sequencer.seq();
        let sockets = user.sockets.iter().take(CONSOLE_USER_SOCKETS_MAX);
        sockets
            .map(|socket| SocketState {
                protocol: socket.connection.protocol,
                age: socket.connection.opened_at.elapsed(),
                queued_bytes: socket.connection.depth().1,
                last_seq: socket.known_seq().or(reached).filter(|_| !socket.is_waiting_for_feed()),
            })
            .collect()
    }
}
