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
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) wheel: Arc<Wheel>,
    /// What waits for all sockets.
    pub(crate) queued: Arc<Queued>,
    /// Connections; the end of the hub waits for them.
    pub(crate) sessions: TaskTracker,
    /// Numbers sockets.
    pub(crate) sockets: AtomicU64,
}

impl App {
    pub(crate) fn next_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }
}
