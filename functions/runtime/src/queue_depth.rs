//! The depth of a queue, for `GET /queues/{q}` and `GET /stats`.

use serde_json::{Value, json};
use shared::limits::QUEUE_TTL_S;
use shared::{QueueName, keys, script};

use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// Numbers of messages in a queue, by their state.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Can be received now; includes messages whose delay or visibility timeout has ended.
    pub ready: i64,
    /// Waiting for the end of a delay.
    pub delayed: i64,
    /// Received, within their visibility timeout, and not yet acknowledged.
    pub in_flight: i64,
    /// Dead letters.
    pub dead: i64,
    /// Age in seconds of the oldest message that was received before or sent with a delay; `None`
    /// if there is none. Messages that were only ever in the list carry no time.
    pub oldest_age_s: Option<i64>,
}

impl QueueDepth {
    /// The depth of `queue`, in one call of Redis. `epoch` is a random word; the script stores it
    /// if there is no queue epoch yet.
    ///
    /// # Errors
    /// [`RedisError`]; `Malformed` if the reply does not have the shape that the script's header
    /// states.
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

    /// Whether there is a message in any state.
    pub fn has_messages(&self) -> bool {
        self.ready + self.delayed + self.in_flight + self.dead > 0
    }

    /// The body of the response: `{"ready","delayed","inFlight","dead","oldestAgeSeconds"}`.
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
