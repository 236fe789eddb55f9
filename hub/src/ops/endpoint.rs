//! The parts of the hub that its `/metrics` shows.

use std::fmt;
use std::sync::Arc;

use native::ops::{Format, MetricsAccess};

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::ops::text::{Now, Sources};
use crate::users::Registry;

pub struct Endpoint {
    pub access: MetricsAccess,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub admission: Arc<Admission>,
    pub registry: Arc<Registry>,
}

impl native::ops::Endpoint for Endpoint {
    type Health = Health;

    fn access(&self) -> &MetricsAccess {
        &self.access
    }

    fn render(&self, format: Format) -> Result<String, fmt::Error> {
        let now = Now {
            health: self.health.clone(),
            admission: self.admission.clone(),
            queues: self.registry.queues(),
            channels: self.registry.channels().map_or((0, 0), |it| it.plan().counts()),
        };
        Sources { metrics: self.metrics.clone(), now }.render(format)
    }

    fn health(&self) -> Arc<Health> {
        self.health.clone()
    }
}
