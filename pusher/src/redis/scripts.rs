//! The calls of a campaign's scripts, and of test pushes. None waits longer than the deadlines of
//! [`native::redis`]. Each call's keys are in one hash slot.

use std::sync::Arc;

use native::redis::Commands;
use redis::{FromRedisValue, Pipeline, RedisError, Value};
use shared::campaign_push::index::{self, Pushing};
use shared::campaign_push::{Block, Call, Claim, Claimed, Malformed, Settled};
use shared::keys::{PUSH_TESTS, push_test};

use crate::health::Health;
use crate::limits::{TRIAL_RESULT_TTL_S, TRIALS_MAX};

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// Redis is away, or refuses the command.
    Redis(RedisError),
    Malformed(Malformed),
}

impl StoreError {
    /// Whether the same call may succeed, and may have been executed; else Redis refuses it.
    pub(crate) fn is_away(&self) -> bool {
        let StoreError::Redis(error) = self else { return false };
        native::redis::is_away(error) || error.is_cluster_error()
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Redis(error) => error.fmt(f),
            StoreError::Malformed(error) => error.fmt(f),
        }
    }
}

/// The connection with the calls.
pub(crate) struct Store {
    commands: Arc<Commands>,
    health: Arc<Health>,
}

impl Store {
    pub(crate) fn new(commands: Arc<Commands>, health: Arc<Health>) -> Self {
        Self { commands, health }
    }

    /// The campaigns under way, and the test pushes that wait, as JSON.
    ///
    /// # Errors
    /// Redis is away.
    pub(crate) async fn look(&self) -> Result<(Vec<Pushing>, Vec<Vec<u8>>), StoreError> {
        let [name, args @ ..] = index::list();
        let (mut list, mut pop) = (redis::cmd(name), redis::cmd("LPOP"));
        list.arg(&args[..]);
        pop.arg(PUSH_TESTS).arg(TRIALS_MAX);
        let mut answers = self.commands.each(vec![list, pop]).await.into_iter();
        let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
        let (listed, tests) = (next(), next());
        let listed: Vec<Vec<u8>> = self.noted(listed.and_then(parsed))?;
        // Test pushes wait; campaigns go on without them.
        let tests: Option<Vec<Vec<u8>>> = self.noted(tests.and_then(parsed)).unwrap_or_default();
        Ok((index::listed(&listed), tests.unwrap_or_default()))
    }

    /// Stores the results of a test push.
    ///
    /// # Errors
    /// Redis is away.
    pub(crate) async fn answer_test(&self, nonce: &str, results: &str) -> Result<(), StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(push_test(nonce)).arg(results).arg("EX").arg(TRIAL_RESULT_TTL_S);
        let ((),): ((),) = self.query(&pipeline).await?;
        Ok(())
    }

    /// Keeps a campaign in the index.
    ///
    /// # Errors
    /// Redis is away.
    pub(crate) async fn touch(&self, pushing: &Pushing) -> Result<(), StoreError> {
        let _: redis::Value = self.script(&index::touch(&pushing.campaign)).await?;
        Ok(())
    }

    /// Removes a campaign from the index, unless it was touched meanwhile.
    ///
    /// # Errors
    /// Redis is away.
    pub(crate) async fn forget(&self, pushing: &Pushing) -> Result<(), StoreError> {
        let _: redis::Value = self.script(&index::drop(pushing)).await?;
        Ok(())
    }

    /// Sends a claim, which may have been sent before.
    ///
    /// # Errors
    /// Redis is away, or the reply is not the script's.
    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let reply: Vec<Vec<u8>> = self.script(&claim.call()).await?;
        claim.clone().answered(&reply).map_err(StoreError::Malformed)
    }

    /// Tells what was noted in a block, and renews its lease.
    ///
    /// # Errors
    /// As [`Store::claim`]; the next call tells the same.
    pub(crate) async fn settle(&self, block: &mut Block) -> Result<Settled, StoreError> {
        let settlement = block.settlement();
        if let Some(respond) = &settlement.respond {
            match self.script::<redis::Value>(respond).await {
                Ok(_) => {}
                Err(error) if error.is_away() => return Err(error),
                // Users who are not settled would get the push again.
                Err(error) => tracing::error!(%error, "Redis refuses responses of a campaign"),
            }
        }
        let reply: Vec<Vec<u8>> = self.script(&settlement.settle).await?;
        block.answered(&reply).map_err(StoreError::Malformed)
    }

    async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        self.noted(self.commands.query(pipeline).await)
    }

    async fn script<T: FromRedisValue>(&self, call: &Call) -> Result<T, StoreError> {
        self.noted(self.commands.script(call.script, &call.keys, &call.args).await)
    }

    fn noted<T>(&self, answer: Result<T, RedisError>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            self.health.redis_failed(&error);
            StoreError::Redis(error)
        })
    }
}

fn parsed<T: FromRedisValue>(answer: Value) -> Result<T, RedisError> {
    Ok(redis::from_redis_value(answer)?)
}
