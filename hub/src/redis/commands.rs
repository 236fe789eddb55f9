//! Commands to Redis, which report to the hub's health and metrics.

use std::sync::Arc;

use native::redis::{Commands, Topology, Watch};

use crate::metrics::Metrics;
use crate::metrics::health::Health;

/// What every user of Redis but the subscription shares.
pub fn commands(
    topology: Arc<Topology>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) -> Arc<Commands> {
    let reports = Arc::new(Reports { health: health.clone(), metrics });
    let commands = Arc::new(Commands::new(topology, reports));
    health.set_commands(&commands);
    commands
}

struct Reports {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Watch for Reports {
    fn answered(&self) {
        self.health.redis_answered();
    }

    fn connected(&self) {
        self.metrics.commands_connected();
    }

    fn lost(&self) {
        self.metrics.commands_lost();
    }

    fn closed(&self) {
        self.metrics.commands_closed();
    }
}
