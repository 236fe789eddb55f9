//! The end of a hub: its sockets, then what it holds in Redis.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::limits::{DRAIN_SOCKETS_PER_S, DRAIN_TICK};
use crate::session::state::App;
use crate::users::Registry;

/// A task that has something to hand back to Redis. Not one of the others, because it has to end
/// before the hub.
pub(super) struct Releasing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Releasing {
    /// Spawns the task, and another one among `tasks` that ends if it panics.
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(
        tasks: &mut JoinSet<()>,
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        let (running, ended) = oneshot::channel::<()>();
        let work = run(stop.clone());
        let task = tokio::spawn(async move {
            let _running = running; // dropped by a panic as well
            work.await;
        });
        tasks.spawn(async move {
            let _ = ended.await;
        });
        Self { stop, task }
    }
}

impl Hub {
    /// Closes every socket; leaves the rest of the time until `deadline` for presence.
    pub(super) async fn close_sockets(&self, deadline: Instant) {
        let App { config, registry, sessions, .. } = &*self.app;
        sessions.close();
        if let Some(channels) = registry.channels() {
            channels.drain();
        }
        let closing = async {
            drain(registry, config.pace.drain_spread).await;
            sessions.wait().await;
        };
        let reserved = config.shutdown.deadline - config.shutdown.sockets_deadline;
        if timeout_at(deadline - reserved, closing).await.is_err() {
            tracing::warn!(left = sessions.len(), "some sockets did not close in time");
        }
    }

    /// Waits until the users' channels are unsubscribed: connections that are closed with many of them
    /// stall Redis.
    pub(super) async fn leave_channels(&self, deadline: Instant) {
        let Some(channels) = self.app.registry.channels() else { return };
        channels.leave_all();
        let leaving = async {
            while !channels.plan().is_empty() {
                sleep(DRAIN_TICK).await;
            }
        };
        if timeout_at(deadline, leaving).await.is_err() {
            tracing::warn!("the users' channels were not unsubscribed in time");
        }
    }

    /// Hands the lease of the bridge back, so that another hub forwards at once.
    pub(super) async fn end_bridge(&self, bridge: Option<Releasing>, deadline: Instant) {
        if let Some(bridge) = bridge {
            bridge.stop.cancel();
            if timeout_at(deadline, bridge.task).await.is_err() {
                tracing::warn!("the bridge did not end in time; its lease expires by itself");
            }
        }
    }

    pub(super) async fn release_presence(&self, presence: Releasing, deadline: Instant) {
        presence.stop.cancel();
        let releasing = async {
            // The release is the last call: nothing must be written after it.
            let _ = presence.task.await;
            self.presence.release(&self.redis).await;
        };
        if timeout_at(deadline, releasing).await.is_err() {
            tracing::warn!("presence was not released in time; it expires by itself");
        }
    }
}

/// Closes all sockets spread over time, so that the clients do not all reconnect at once.
async fn drain(registry: &Registry, spread: Duration) {
    registry.set_draining();
    let start = Instant::now();
    let mut closed = 0;
    let shards = registry.drain(spread);
    let count = shards.size_hint().0.max(1);
    for (at, sockets) in shards.enumerate() {
        closed += sockets;
        // Few sockets need less than the full spread.
        let needed = Duration::from_secs_f64(closed as f64 / DRAIN_SOCKETS_PER_S as f64);
        let share = spread.mul_f64((at + 1) as f64 / count as f64);
        tokio::time::sleep_until(start + needed.min(share)).await;
    }
}
