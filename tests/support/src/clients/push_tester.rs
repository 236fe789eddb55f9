//! The part of a push worker that answers test pushes.

use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use shared::keys::{PUSH_TESTS, push_test};
use tokio::task::JoinHandle;

use crate::redis_server::RedisServer;

/// Answers every test push at once, until it is dropped.
pub struct PushTester {
    task: JoinHandle<()>,
}

impl PushTester {
    /// The results of every test push.
    pub fn results() -> Value {
        json!([{"device": "default", "kind": "fcm", "result": "sent"}])
    }

    pub async fn start(redis: &RedisServer) -> Self {
        let mut connection = redis.connection().await;
        let task = tokio::spawn(async move { while answer(&mut connection).await.is_ok() {} });
        Self { task }
    }
}

impl Drop for PushTester {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for a test push for a second, and answers it.
async fn answer(connection: &mut MultiplexedConnection) -> redis::RedisResult<()> {
    let mut take = redis::cmd("BLPOP");
    let taken: Option<(String, String)> =
        take.arg(PUSH_TESTS).arg(1).query_async(connection).await?;
    let Some((_, test)) = taken else { return Ok(()) };
    let test: Value = serde_json::from_str(&test).unwrap();
    let key = push_test(test["nonce"].as_str().unwrap());
    let mut set = redis::cmd("SET");
    set.arg(key).arg(PushTester::results().to_string()).arg("EX").arg(60);
    set.query_async(connection).await
}
