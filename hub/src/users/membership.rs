//! A socket's membership in its user's set of sockets.

use std::sync::Arc;

use shared::UserId;
use tokio::sync::oneshot;

use super::Registry;

/// A socket's entry in the registry, removed on drop.
pub(crate) struct Membership {
    registry: Arc<Registry>,
    user: UserId,
    id: u64,
    ready: Option<oneshot::Receiver<()>>,
}

impl Membership {
    pub(super) fn new(
        registry: Arc<Registry>,
        user: UserId,
        id: u64,
        ready: oneshot::Receiver<()>,
    ) -> Self {
        Self { registry, user, id, ready: Some(ready) }
    }

    pub(crate) fn user(&self) -> &UserId {
        &self.user
    }

    /// Answers a ping of this socket, as soon as the number of unread entries is known.
    pub(crate) fn ping(&self) {
        self.registry.ping(&self.user, self.id);
    }

    /// Waits until the user's position is known: everything published from then on is delivered.
    pub(crate) async fn ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            // An error means that the hub is shutting down, which the session notices itself.
            let _ = ready.await;
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.registry.leave(&self.user, self.id);
    }
}
