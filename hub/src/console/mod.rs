//! The console: a page for operators, and the numbers that it shows. Off unless it has an address.
//!
//! A [`sampler`] takes a snapshot a second and keeps the last 15 minutes ([`ring`]); [`live`] sends
//! them to a bounded number of viewers. [`users`] and [`fleet`] answer single questions. The page
//! and its files are public, everything else needs a token with the scope `ops:read` ([`routes`]).
//!
//! Reads what other rooms count and hold, and changes nothing. Without it, nothing is sampled.

mod counts;
mod fleet;
mod live;
mod page;
mod ring;
mod routes;
mod sampler;
mod server;
mod snapshot;
mod users;
mod write_deadline;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use native::redis::Commands;
use parking_lot::Mutex;
use shared::time::rfc3339;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::console::fleet::Fleet;
use crate::console::ring::Ring;
use crate::limits::{CONSOLE_CLOSE_DEADLINE, CONSOLE_VIEWERS_MAX};
use crate::presence::Presence;
use crate::session::state::App;

/// The console; see the module.
pub(crate) struct Console {
    app: Arc<App>,
    redis: Arc<Commands>,
    presence: Arc<Presence>,
    /// RFC 3339.
    started_at: String,
    // A blocking lock, held to add a snapshot or to copy them.
    ring: Mutex<Ring>,
    /// The newest snapshot as an event, for the viewers: one who is slow skips some.
    newest: watch::Sender<Bytes>,
    viewers: Arc<Semaphore>,
    fleet: Fleet,
    /// Cancelled when the hub shuts down.
    closing: CancellationToken,
    connections: TaskTracker,
}

impl Console {
    pub(crate) fn new(app: Arc<App>, redis: Arc<Commands>, presence: Arc<Presence>) -> Arc<Self> {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Arc::new(Self {
            app,
            redis,
            presence,
            started_at: rfc3339(i64::try_from(epoch.as_millis()).unwrap_or(i64::MAX)),
            ring: Mutex::new(Ring::new()),
            newest: watch::Sender::new(Bytes::new()),
            viewers: Arc::new(Semaphore::new(CONSOLE_VIEWERS_MAX)),
            fleet: Fleet::default(),
            closing: CancellationToken::new(),
            connections: TaskTracker::new(),
        })
    }

    /// Ends the viewers' streams, and waits until their last events were sent. A viewer who does not
    /// read is cut off.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.connections.close();
        let _ = timeout(CONSOLE_CLOSE_DEADLINE, self.connections.wait()).await;
    }
}
