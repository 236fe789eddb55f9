//! Walks over all users shard by shard, so that delivery to the other shards goes on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::{CloseCode, UserId};

use super::{FeedRequest, Registry};
use crate::limits::BRIDGE_PERIODS_KEPT;
use crate::presence::Users;
use crate::protocol::Outgoing;
use crate::users::user::Flush;

/// Frames and bytes queued for all sockets, and the frames in the longest queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queues {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) longest: u64,
}

impl Registry {
    /// Marks every user as possibly behind, after the subscription was lost and is back.
    pub(crate) fn unsync(&self) {
        self.subscription.fetch_add(1, Ordering::SeqCst);
        self.is_subscribed.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            shard.lock().values_mut().for_each(|user| user.sequencer.unsync());
        }
    }

    /// One hub forwards other services' messages from now on.
    pub(crate) fn begin_bridge(&self) {
        self.bridge_period.store(BRIDGE_PERIODS_KEPT, Ordering::Relaxed);
    }

    /// That hub has done so until now.
    pub(crate) fn next_bridge_period(&self) {
        self.bridge_period.fetch_add(1, Ordering::Relaxed);
    }

    /// The subscription to all users' channels is lost, so changes are missed.
    pub(crate) fn subscription_lost(&self) {
        self.is_subscribed.store(false, Ordering::SeqCst);
    }

    /// Requests a comparison of every user with their feed.
    pub(crate) fn recheck(&self) {
        for shard in &self.shards {
            shard.lock().values_mut().for_each(|user| user.sequencer.recheck());
        }
    }

    /// The requests that bring users up to date who may be behind, shard by shard.
    pub(crate) fn behind(&self) -> impl Iterator<Item = Vec<FeedRequest>> + '_ {
        self.shards.iter().map(|shard| {
            let mut shard = shard.lock();
            let behind = shard.iter_mut().filter_map(|(id, user)| {
                let query = user.sequencer.wanted()?;
                Some(FeedRequest { wants_unread: false, ..self.new_request(id, user, query) })
            });
            behind.collect()
        })
    }

    /// The state of all queues. A walk over every socket: call it rarely.
    pub(crate) fn queues(&self) -> Queues {
        let mut queues = Queues::default();
        for shard in &self.shards {
            for socket in shard.lock().values().flat_map(|user| &user.sockets) {
                let (frames, bytes) = socket.connection.depth();
                queues.frames += frames as u64;
                queues.bytes += bytes as u64;
                queues.longest = queues.longest.max(frames as u64);
            }
        }
        queues
    }

    /// Rejects all further sockets.
    pub(crate) fn set_draining(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// Tells every socket to reconnect after a random time up to `spread`, and closes it; shard by
    /// shard, so that the caller can pause in between. Yields the number of sockets.
    pub(crate) fn drain(&self, spread: Duration) -> impl Iterator<Item = usize> + '_ {
        let spread_ms = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        self.shards.iter().map(move |shard| {
            let mut flush = Flush::default();
            let mut shard = shard.lock();
            let mut count = 0;
            for socket in shard.values_mut().flat_map(|user| &mut user.sockets) {
                let after_ms = fastrand::u64(..=spread_ms);
                socket.send(&Outgoing::Reconnect { after_ms }, &mut flush);
                socket.connection.close(CloseCode::Restart);
                count += 1;
            }
            drop(shard);
            flush.flush();
            count
        })
    }
}

impl Users for Registry {
    /// One part per shard.
    fn parts(&self) -> impl Iterator<Item = Vec<UserId>> + Send {
        self.shards.iter().map(|shard| shard.lock().keys().cloned().collect())
    }
}
