//! Test pushes: a push to all devices of one user, whose caller waits for the results.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use push::Push;
use push::collapse::Ids;
use push::message::Message;
use push::outcome::Outcome;
use serde::{Deserialize, Serialize};

use crate::functions::Api;
use crate::functions::wire::{AddressesQuery, Device};
use crate::limits::TRIAL_TTL_S;
use crate::redis::Store;
use crate::sending::{Due, Fate, Guards, Scope, Sending};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trial {
    nonce: String,
    user_id: String,
}

#[derive(Serialize)]
struct TrialResult<'a> {
    device: &'a str,
    kind: &'a str,
    result: String,
}

/// What test pushes need.
#[derive(Clone)]
pub(crate) struct Trials {
    pub(crate) api: Arc<Api>,
    pub(crate) sending: Arc<Sending>,
    pub(crate) store: Arc<Store>,
}

impl Trials {
    /// Sends one, and stores its results. Failures are logged: a deadline tells the waiting caller.
    pub(crate) async fn run(self, json: Vec<u8>) {
        // The nonce becomes part of a key.
        let trial = serde_json::from_slice::<Trial>(&json).ok();
        let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let Some(trial) = trial.filter(|it| is_word(&it.nonce) && it.nonce.len() <= 64) else {
            tracing::debug!("a test push is malformed");
            return;
        };
        let query = AddressesQuery { user_ids: vec![&trial.user_id], presence: false };
        let Ok(users) = self.api.addresses(&query).await else { return };
        let devices = users.users.into_iter().next().map(|user| user.devices).unwrap_or_default();
        let results = join_all(devices.iter().map(|device| self.send(&trial, device))).await;
        let Ok(json) = serde_json::to_string(&results) else { return };
        if let Err(error) = self.store.answer_test(&trial.nonce, &json).await {
            tracing::warn!(%error, "the results of a test push cannot be stored");
        }
    }

    async fn send<'a>(&self, trial: &Trial, device: &'a Device) -> TrialResult<'a> {
        let result = match device.address() {
            Some(address) => {
                let id = format!("test-{}", trial.nonce);
                let ids = Ids::new(&id, &trial.user_id, &device.device, None);
                let message = Arc::new(Message {
                    id,
                    title: "Test".to_owned(),
                    body: Some("This device receives pushes.".to_owned()),
                    ..Message::default()
                });
                let push = Push { address, message, ids, ttl_s: TRIAL_TTL_S, validate_only: false };
                self.attempt(&push).await
            }
            None => "failed: unknown_kind".to_owned(),
        };
        TrialResult { device: &device.device, kind: &device.kind, result }
    }

    /// One attempt. It removes nothing, and trips no guard.
    async fn attempt(&self, push: &Push) -> String {
        let outcome = self.sending.send(push, || true).await;
        let outcome = outcome.unwrap_or(Outcome::Stop("not_sent"));
        let due = Due { attempts: 1, age: Duration::ZERO, ttl: Duration::from_secs(TRIAL_TTL_S) };
        let guards = Guards::new(Scope::Jobs);
        match self.sending.judge(outcome, push.address.kind(), due, &guards, || None) {
            Fate::Accepted => "sent".to_owned(),
            Fate::Invalid(reason) => format!("invalid: {reason}"),
            Fate::Failed { reason, .. }
            | Fate::Dead(reason)
            | Fate::Stopped(reason)
            | Fate::Later { reason, .. } => format!("failed: {reason}"),
        }
    }
}
