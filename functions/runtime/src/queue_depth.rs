//! What a queue holds, as `GET /queues/{q}` and `GET /stats` tell it.

use serde_json::{Value, json};
use shared::limits::QUEUE_TTL_S;
use shared::{QueueName, keys, script};

use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// Numbers of messages.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueDepth {
    pub ready: i64,
    pub delayed: i64,
    pub in_flight: i64,
    pub dead: i64,
    /// Age of the oldest message that was received before or sent with a delay, `None` without one:
    /// those that only lie in the list carry no time.
    pub oldest_age_s: Option<i64>,
}

impl QueueDepth {
    /// Asks Redis; `epoch` is a random word, for a queue that has none.
    ///
    /// # Errors
    /// Of the call; `Malformed` for a reply of another shape than the script's header states.
    pub async fn read(
        redis: &impl Redis,
        queue: &QueueName,
        epoch: &str,
    ) -> Result<Self, RedisError> {
        let args = [Arg::Int(QUEUE_TTL_S as i64), Arg::Text(epoch)];
        let keys = keys::queue(queue.as_str());
        let reply = redis.eval(&script::QUEUE_STATS, &keys, &args).await?;
        let numbers: Vec<i64> = reply.iter().filter_map(Reply::int).collect();
        let [ready, delayed, in_flight, dead, age_ms] = numbers[..] else {
            return Err(RedisError::Malformed(script::QUEUE_STATS.name));
        };
        let oldest_age_s = (age_ms >= 0).then_some(age_ms / 1000);
        Ok(Self { ready, delayed, in_flight, dead, oldest_age_s })
    }

    /// `{"ready","delayed","inFlight","dead","oldestAgeSeconds"}`.
    pub fn to_json(&self) -> Value {
        json!({
            "ready": self.ready,
            "delayed": self.delayed,
            "inFlight": self.in_flight,
            "dead": self.dead,
            "oldestAgeSeconds": self.oldest_age_s,
        })
    }
}
