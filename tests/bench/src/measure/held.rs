//! What a server holds while it is measured: memory and connections.

use std::time::{Duration, Instant};

use support::held::Holder;
use support::table::Cell;

use super::{NO_PROCESS, Pids};

/// Pause between two looks at what the server holds: each takes some milliseconds.
const LOOK: Duration = Duration::from_millis(500);

/// The most that the server held during a measurement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// `None` where it may not be read.
    pub memory_mib: Option<f64>,
    pub redis_connections: usize,
    pub database_connections: Option<usize>,
}

impl Held {
    /// Looks once.
    pub fn look(&mut self, server: &Holder, pids: &Pids) {
        let [redis, database] =
            server.connections_to([pids.redis, pids.database.unwrap_or(NO_PROCESS)]);
        let memory_mib = server.memory_bytes().map(|bytes| bytes as f64 / 1024.0 / 1024.0);
        let database_connections = pids.database.map(|_| database);
        self.add(&Held { memory_mib, redis_connections: redis, database_connections });
    }

    pub(super) fn add(&mut self, other: &Held) {
        let memory_mib = self.memory_mib.into_iter().chain(other.memory_mib);
        self.memory_mib = memory_mib.reduce(f64::max);
        self.redis_connections = self.redis_connections.max(other.redis_connections);
        self.database_connections = self.database_connections.max(other.database_connections);
    }

    /// Its cells, in the order of the columns.
    pub fn cells(&self) -> [Cell; 3] {
        let count = |count: usize| Cell::Number(count as f64, 0);
        [
            self.memory_mib.map_or(Cell::Nothing, |mib| Cell::Number(mib, 0)),
            count(self.redis_connections),
            self.database_connections.map_or(Cell::Nothing, count),
        ]
    }
}

/// Waits for the duration, and looks at what the server holds meanwhile.
pub async fn watch(pids: &Pids, duration: Duration) -> Held {
    let begun = Instant::now();
    let (server, mut held) = (Holder::of(pids.server), Held::default());
    while begun.elapsed() < duration {
        held.look(&server, pids);
        tokio::time::sleep(LOOK.min(duration.saturating_sub(begun.elapsed()))).await;
    }
    held
}
