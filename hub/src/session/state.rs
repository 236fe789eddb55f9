//! The shared state that a request for a socket needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::admission::refusal_log::RefusalLog;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::session::tickets::Tickets;
use crate::socket::timer_wheel::TimerWheel;
use crate::socket::total_queued::TotalQueued;
use crate::users::Registry;

/// Shared state; see the module.
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) wheel: Arc<TimerWheel>,
    /// The bytes queued for all sockets.
    pub(crate) queued: Arc<TotalQueued>,
    /// The tasks of connections; the shutdown waits for them.
    pub(crate) sessions: TaskTracker,
    /// The number of the next socket.
    pub(crate) sockets: AtomicU64,
}

impl App {
    pub(crate) fn next_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }
}
