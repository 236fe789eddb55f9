//! The users' own channels: which connection each is subscribed on, and what has to be sent for it.
//!
//! Each user of this hub has a shard channel, on the master that serves the slot of their feed. A
//! channel is subscribed with the user's first socket, and unsubscribed some time after the last:
//! who returns in between pays nothing. Channels are spread over connections ([`link`]), each of at
//! most [`LINK_CHANNELS_MAX`](crate::limits::LINK_CHANNELS_MAX).
//!
//! No I/O and no clock: [`plan`] decides, [`delivery`](crate::delivery) reads, writes and tells the
//! users. So every order of events can be tested.

mod answers;
pub(crate) mod link;
pub(crate) mod plan;
mod servers;
pub(crate) mod status;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use shared::UserId;
use shared::cluster::SlotMap;
use tokio::sync::Notify;

use crate::channels::plan::Plan;
use crate::config::Pace;

/// The plan, shared by those who want channels and those who subscribe them.
pub struct Channels {
    /// A blocking lock, held for changes in memory only. Whoever holds it takes no other.
    plan: Mutex<Plan>,
    /// Notified when there is something to send.
    pub(crate) wake: Notify,
}

/// Whether a user's channel is heard, and the number of the event that this results from: an event
/// with a lower number is outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hearing {
    pub(crate) number: u64,
    pub(crate) is_joined: bool,
}

impl Hearing {
    /// Of a hub that hears all users.
    pub(crate) const ALWAYS: Self = Self { number: 0, is_joined: true };
}

impl Channels {
    /// `map` is where the channels belong, once it is known.
    pub fn new(map: &SlotMap, is_known: bool, pace: Pace) -> Arc<Self> {
        let plan = Mutex::new(Plan::new(map.clone(), is_known, pace));
        Arc::new(Self { plan, wake: Notify::new() })
    }

    /// The user has a first socket.
    pub(crate) fn want(&self, user: &UserId) -> Hearing {
        let hearing = self.plan.lock().want(user, Instant::now());
        if !hearing.is_joined {
            self.wake.notify_one();
        }
        hearing
    }

    /// The user's last socket is gone.
    pub(crate) fn unwant(&self, user: &UserId) {
        self.plan.lock().unwant(user, Instant::now());
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock()
    }

    /// Unsubscribes everything, because the hub ends.
    pub(crate) fn leave_all(&self) {
        self.plan.lock().leave_all();
        self.wake.notify_one();
    }

    /// From now on, channels are unsubscribed without delay, and no connection is opened.
    pub(crate) fn drain(&self) {
        self.plan.lock().drain();
        self.wake.notify_one();
    }
}
