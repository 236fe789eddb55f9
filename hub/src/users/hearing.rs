//! A user's subscription: the order in which a channel is subscribed, the feed read and the sockets
//! welcomed; and what its loss means for the user.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use shared::UserId;

use super::{FeedRequest, Registry};
use crate::channels::Channels;
use crate::channels::plan::News;
use crate::metrics::Cause;
use crate::users::sequencer::FeedQuery;
use crate::users::user::User;

impl Registry {
    /// Identifies the user's current subscription.
    pub(super) fn subscription_of(&self, user: &User) -> u64 {
        // Both only grow, so the sum changes with each.
        self.subscription.load(Ordering::SeqCst).wrapping_add(user.hearing.number)
    }

    /// The users' own channels, if the hub hears those.
    pub(crate) fn channels(&self) -> Option<&Arc<Channels>> {
        self.channels.as_ref()
    }

    /// Requests the first read for a user.
    pub(super) fn begin_order(&self, id: &UserId, user: &mut User) {
        user.is_asked = true;
        // The feed includes the head.
        let is_resuming = user.sockets.iter().any(|socket| socket.is_waiting_for_feed());
        let query = if is_resuming { FeedQuery::Feed } else { FeedQuery::Head };
        self.request(id, user, Some(query));
    }

    /// A channel is subscribed, or no longer.
    pub(crate) fn hear(&self, news: &News) {
        let News { user: id, hearing, cause, .. } = news;
        let mut shard = self.shard(id.as_str());
        let Some(user) = shard.get_mut(id) else { return };
        if hearing.number <= user.hearing.number {
            return; // outdated
        }
        user.hearing = *hearing;
        if !hearing.is_joined {
            return;
        }
        if !user.is_asked {
            return self.begin_order(id, user);
        }
        user.sequencer.unsync();
        // Those of a lost connection are many: the sweep reads their heads, with pauses.
        if *cause != Cause::Closed && user.sequencer.needs_head() {
            let request = self.new_request(id, user, FeedQuery::Head);
            // Fails only while the hub is shutting down.
            let _ = self.requests.send(FeedRequest { wants_unread: false, ..request });
        }
    }

    /// The channel cannot be subscribed in time: the user is welcomed with what can be read, and
    /// brought up to date once it is.
    pub(crate) fn channel_is_late(&self, id: &UserId) {
        let mut shard = self.shard(id.as_str());
        if let Some(user) = shard.get_mut(id)
            && !user.is_asked
        {
            self.begin_order(id, user);
        }
    }
}
