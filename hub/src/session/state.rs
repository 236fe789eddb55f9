//! What every request for a socket needs of the hub.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::admission::refusal_log::Refusals;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::session::tickets::Tickets;
use crate::socket::timer_wheel::Wheel;
use crate::socket::total_queued::Queued;
use crate::users::Registry;

/// See the module.
pub struct App {
    pub config: Arc<Config>,
    pub registry: Arc<Registry>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub refusals: Arc<Refusals>,
    pub admission: Arc<Admission>,
    pub tickets: Arc<Tickets>,
    pub wheel: Arc<Wheel>,
    /// What waits for all sockets.
    pub queued: Arc<Queued>,
    /// Connections; the end of the hub waits for them.
    pub sessions: TaskTracker,
    /// Numbers sockets.
    pub sockets: AtomicU64,
}

impl App {
    pub fn next_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }
}
