//! The functions' routes for the worker.

pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use native::functions::{Call, CallError, Functions};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::health::Health;
use crate::limits::{
    ADDRESSES_BYTES_MAX, ANSWER_BYTES_MAX, BATCH_BYTES_MAX, CALL_DEADLINE, CLAIM_BYTES_MAX,
};
use crate::metrics::Metrics;
use wire::{
    AddressesQuery, Batch, BatchResults, ClaimQuery, Claimed, Entry, Prune, Prunes, Settled,
    Settlement, Users,
};

/// The name and version in `User-Agent`.
pub(crate) const US: &str = concat!("bellwire-push/", env!("CARGO_PKG_VERSION"));

/// The calls, each with its deadline.
pub(crate) struct Api {
    functions: Functions,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Api {
    pub(crate) fn new(functions: Functions, health: Arc<Health>, metrics: Arc<Metrics>) -> Self {
        Self { functions, health, metrics }
    }

    /// Claims jobs that are due.
    ///
    /// # Errors
    /// The functions are away, or refuse the call.
    pub(crate) async fn claim(&self, max: usize, lease: Duration) -> Result<Claimed, CallError> {
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        self.call("/push/claim", &ClaimQuery { max, lease_ms }, CLAIM_BYTES_MAX).await
    }

    /// Says what became of claimed jobs.
    ///
    /// # Errors
    /// As [`Api::claim`].
    pub(crate) async fn settle(&self, jobs: &[Settled]) -> Result<(), CallError> {
        let settlement = Settlement { jobs };
        let answer: Result<IgnoredAny, CallError> =
            self.call("/push/settle", &settlement, ANSWER_BYTES_MAX).await;
        answer.map(drop)
    }

    /// Addresses and preferences of users, in their order.
    ///
    /// # Errors
    /// As [`Api::claim`]; also if the answer has another number of users.
    pub(crate) async fn addresses(&self, query: &AddressesQuery<'_>) -> Result<Users, CallError> {
        let users: Users = self.call("/push/addresses", query, ADDRESSES_BYTES_MAX).await?;
        match users.users.len() == query.user_ids.len() {
            true => Ok(users),
            false => Err(CallError::Broken),
        }
    }

    /// Removes addresses that are still the current ones; returns how many.
    ///
    /// # Errors
    /// As [`Api::claim`].
    pub(crate) async fn prune(&self, devices: &[Prune]) -> Result<u64, CallError> {
        #[derive(serde::Deserialize)]
        struct Deleted {
            deleted: u64,
        }
        let deleted: Deleted =
            self.call("/push/prune", &Prunes { devices }, ANSWER_BYTES_MAX).await?;
        Ok(deleted.deleted)
    }

    /// Creates notifications, each once; the results have their order.
    ///
    /// # Errors
    /// As [`Api::claim`]; also if the answer has another number of results.
    pub(crate) async fn create(&self, entries: &[Entry<'_>]) -> Result<BatchResults, CallError> {
        let batch = Batch { notifications: entries };
        let results: BatchResults =
            self.call("/notifications/batch", &batch, BATCH_BYTES_MAX).await?;
        match results.results.len() == entries.len() {
            true => Ok(results),
            false => Err(CallError::Broken),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        answer_bytes_max: usize,
    ) -> Result<T, CallError> {
        let body = Bytes::from(serde_json::to_vec(body).map_err(|_| CallError::Broken)?);
        let call = Call { path, body, deadline: CALL_DEADLINE, answer_bytes_max };
        let answer = self.functions.post(call).await;
        let answer =
            answer.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|_| CallError::Broken));
        self.metrics.functions_called(answer.is_ok());
        self.health.functions(answer.as_ref().map(|_| ()));
        answer
    }
}
