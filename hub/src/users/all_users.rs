//! Walks over everyone who is here, shard by shard: delivery to the others goes on meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::{CloseCode, UserId};

use super::{ReadRequest, Registry};
use crate::presence::Users;
use crate::protocol::Event;
use crate::users::user::Flush;

/// Frames that wait for sockets, and in the longest queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queues {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) longest: u64,
}

impl Registry {
    /// The subscription stands again: everyone who is here may be behind.
    pub(crate) fn unsync(&self) {
        self.subscription.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            shard.lock().values_mut().for_each(|user| user.sequencer.unsync());
        }
    }

    /// Has everyone compared with their feed.
    pub(crate) fn recheck(&self) {
        for shard in &self.shards {
            shard.lock().values_mut().for_each(|user| user.sequencer.recheck());
        }
    }

    /// Reads that bring those up to date who may be behind, shard by shard.
    pub(crate) fn behind(&self) -> impl Iterator<Item = Vec<ReadRequest>> + '_ {
        self.shards.iter().map(|shard| {
            let mut shard = shard.lock();
            let behind = shard.iter_mut().filter_map(|(id, user)| {
                let read = user.sequencer.wanted()?;
                Some(self.read(id, user.generation, read))
            });
            behind.collect()
        })
    }

    /// What waits for sockets. A walk over everyone: for whoever looks now and then.
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

    /// Tells every socket to come back, each after another time up to `spread`, and closes it; shard
    /// by shard, so that the caller can pause in between. Gives the number of sockets.
    pub(crate) fn drain(&self, spread: Duration) -> impl Iterator<Item = usize> + '_ {
        let spread_ms = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        self.shards.iter().map(move |shard| {
            let mut flush = Flush::default();
            let mut shard = shard.lock();
            let mut count = 0;
            for socket in shard.values_mut().flat_map(|user| &mut user.sockets) {
                let after_ms = fastrand::u64(..=spread_ms);
                socket.tell(&Event::Reconnect { after_ms }, &mut flush);
                socket.connection.close(CloseCode::Restart);
                count += 1;
            }
            drop(shard);
            count
        })
    }
}

impl Users for Registry {
    /// Shard by shard.
    fn parts(&self) -> impl Iterator<Item = Vec<UserId>> + Send {
        self.shards.iter().map(|shard| shard.lock().keys().cloned().collect())
    }
}
