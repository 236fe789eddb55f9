//! Requests for reads of users' feeds.

use shared::UserId;

use super::Registry;
use crate::users::sequencer::FeedQuery;
use crate::users::user::User;

/// A request to read a user's feed. At most one per user is under way, which bounds their queue.
#[derive(Debug)]
pub struct FeedRequest {
    pub(crate) user: UserId,
    /// The [`User::generation`] that asked: an answer must not reach a later one.
    pub(crate) generation: u64,
    /// The number of the user's subscription at that time ([`Registry::subscription_of`]): an answer
    /// from before the subscription was restored may lack publications of the outage.
    pub(crate) subscription: u64,
    /// [`Sequencer::changes`](crate::users::sequencer::Sequencer::changes) at that time.
    pub(crate) changes: u32,
    pub(crate) query: FeedQuery,
    /// Whether a head is read with the number of unread entries, which costs ten times as much or
    /// more: not for the sweep.
    pub(crate) wants_unread: bool,
}

impl Registry {
    pub(super) fn request(&self, id: &UserId, user: &User, query: Option<FeedQuery>) {
        if let Some(query) = query {
            // Fails only while the hub is shutting down.
            let _ = self.requests.send(self.new_request(id, user, query));
        }
    }

    pub(super) fn new_request(&self, id: &UserId, user: &User, query: FeedQuery) -> FeedRequest {
        FeedRequest {
            user: id.clone(),
            generation: user.generation,
            subscription: self.subscription_of(user),
            changes: user.sequencer.changes(),
            query,
            wants_unread: true,
        }
    }
}
