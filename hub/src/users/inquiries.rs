//! Inquiries of a user's sockets (see [`inquiry`](super::inquiry)) and their deadlines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shared::UserId;
use tokio::time::sleep;

use super::Registry;
use super::inquiry::Begun;
use crate::limits::INQUIRY_DEADLINE;
use crate::users::user::{Flush, User};

/// Time since the Unix epoch.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Registry {
    /// Answers a socket's ping at once if the number of unread entries is known, else after a read.
    pub(super) fn ping(self: &Arc<Self>, user: &UserId, id: u64) {
        let mut flush = Flush::default();
        let mut shard = self.shard(user.as_str());
        if let Some(known) = shard.get_mut(user) {
            let begun = known.ping(id, self.asked_at(known), &mut flush);
            self.begin(user, known, begun);
        }
        drop(shard);
        flush.flush();
    }

    /// The time of a question. Without a subscription it is the end of time, at which no number that
    /// was known before is valid: changes may have been missed.
    pub(super) fn asked_at(&self, user: &User) -> Duration {
        let is_heard = user.hearing.is_joined && self.is_subscribed.load(Ordering::SeqCst);
        if is_heard { now() } else { Duration::MAX }
    }

    /// Requests the inquiry's read, and answers without a number after the deadline.
    pub(super) fn begin(self: &Arc<Self>, id: &UserId, user: &User, begun: Option<Begun>) {
        let Some(Begun { query, number }) = begun else { return };
        self.request(id, user, query);
        let (registry, id, generation) = (Arc::downgrade(self), id.clone(), user.generation);
        tokio::spawn(async move {
            sleep(INQUIRY_DEADLINE).await;
            if let Some(registry) = registry.upgrade() {
                registry.inquiry_is_overdue(&id, generation, number);
            }
        });
    }

    fn inquiry_is_overdue(&self, id: &UserId, generation: u64, number: u32) {
        let mut flush = Flush::default();
        let mut shard = self.shard(id.as_str());
        if let Some(user) = shard.get_mut(id)
            && user.generation == generation
            && user.is_asking(number)
        {
            // Answered as after a final read, so there is nothing to request.
            let _ = user.answer(true, now(), &mut flush);
        }
        drop(shard);
        flush.flush();
    }
}
