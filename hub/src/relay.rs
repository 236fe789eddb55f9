//! Calls the functions' relay, which sends notifications created while Redis was unreachable: every
//! 30 s, and repeatedly after Redis is back until everything is sent (`relay/schedule.rs`).

mod schedule;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use native::functions::{Call, CallError, Functions, FunctionsConfig};
use serde::Deserialize;
use shared::live::Live;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::limits::RELAY_DEADLINE;
use crate::metrics::health::Health;
use crate::users::Registry;
use schedule::{Outcome, Schedule};

/// Size limit of the relay's answer, a few numbers.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const US: &str = concat!("bellwire-hub/", env!("CARGO_PKG_VERSION"));

/// The meaning of a failed call for the schedule.
fn outcome(error: &CallError) -> Outcome {
    if error.is_final() { Outcome::Refused } else { Outcome::Failed }
}

/// The part of the answer that is used.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    pending: u64,
    /// The functions' setting; older ones do not tell it.
    live: Option<String>,
}

/// What a hub notes of the functions.
pub(crate) struct Listener {
    pub(crate) live: Live,
    pub(crate) health: Arc<Health>,
}

impl Listener {
    /// Notes on which channels the functions publish.
    fn note(&self, functions: Option<&str>) {
        let functions = functions.and_then(Live::parse);
        let problem = functions.filter(|functions| !functions.reaches(self.live)).map(|functions| {
            let (functions, hub) = (functions.as_str(), self.live.as_str());
            format!(
                "the functions publish with live = {functions}, which a hub with live = {hub} does \
                 not hear: nothing is delivered live"
            )
        });
        if self.health.set_live_problem(problem.clone()) {
            tracing::error!(problem, "the settings of functions and hub do not fit");
        }
    }
}

/// Signs that Redis is back, or was replaced.
pub(crate) struct Signs {
    /// The subscription is back, and every user was compared with their feed.
    pub(crate) swept: Arc<Notify>,
    /// The connection for commands was replaced; the subscription may be unaffected.
    pub(crate) reconnected: Arc<Notify>,
}

pub struct Relay(Functions);

impl Relay {
    /// # Errors
    /// The URL is https, and the system's certificates cannot be loaded.
    pub fn new(config: FunctionsConfig) -> io::Result<Self> {
        Functions::new(config, US).map(Self)
    }

    /// Calls the relay at intervals, and at once on one of `signs`. Afterwards it notifies `again`
    /// once every user is to be compared with their feed. Notes for `listener` what the functions
    /// publish on. Ends only by being dropped.
    pub(crate) async fn run(
        self,
        signs: Signs,
        listener: Listener,
        registry: Arc<Registry>,
        again: Arc<Notify>,
    ) {
        let mut is_failing = false;
        let mut schedule = Schedule::default();
        let mut wait = schedule.called(Outcome::Held(0), Instant::now(), Instant::now()).wait;
        loop {
            let is_sign = tokio::select! {
                () = signs.swept.notified() => true,
                () = signs.reconnected.notified() => true,
                () = sleep(wait) => false,
            };
            if is_sign {
                schedule.sign(Instant::now());
            }
            let began = Instant::now();
            let answer = self.call().await;
            registry.metrics.relay_called(answer.is_ok());
            if let Ok(answer) = &answer {
                listener.note(answer.live.as_deref());
            }
            match &answer {
                Ok(_) if is_failing => tracing::info!("the relay answers again"),
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "cannot call the relay");
                }
                _ => {}
            }
            is_failing = answer.is_err();
            let held = |answer: Answer| Outcome::Held(answer.pending);
            let outcome = answer.map_or_else(|error| outcome(&error), held);
            let next = schedule.called(outcome, began, Instant::now());
            if next.recheck {
                registry.recheck();
                again.notify_one();
            }
            wait = next.wait;
        }
    }

    async fn call(&self) -> Result<Answer, CallError> {
        let body = self
            .0
            .post(Call {
                path: "/admin/relay",
                body: Bytes::new(),
                deadline: RELAY_DEADLINE,
                answer_bytes_max: ANSWER_BYTES_MAX,
            })
            .await?;
        // A success with another body counts as "nothing pending".
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}
