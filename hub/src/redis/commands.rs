//! The connection for commands, which reports to the hub's health and metrics.

use std::sync::Arc;

use native::redis::{Commands, Watch};
use redis::Client;

use crate::metrics::Metrics;
use crate::metrics::health::Health;

/// The connection that every user of Redis but the subscription shares.
pub fn commands(client: Client, health: Arc<Health>, metrics: Arc<Metrics>) -> Commands {
    Commands::new(client, Arc::new(Reports { health, metrics }))
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
}
