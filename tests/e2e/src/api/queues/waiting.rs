//! Receives that wait for a message.

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Functions, RedisServer, eventually};

use super::{Queue, payloads};

/// Half a second, and what a busy machine adds.
const NOTICED: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_receive_waits_for_a_message_without_a_busy_loop() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "orders" };
    assert!(queue.receive(&json!({})).await.is_empty());
    let before = redis.calls("evalsha").await;
    let body = json!({"waitSeconds": 20});
    let (received, noticed) = tokio::join!(queue.receive(&body), async {
        // It has asked several times in vain.
        eventually("it waits", async || (redis.calls("evalsha").await >= before + 4).then_some(()))
            .await;
        queue.send(&[json!("one")]).await;
        Instant::now()
    });
    assert_eq!(payloads(&received), [json!("one")]);
    assert!(noticed.elapsed() < NOTICED, "{:?}", noticed.elapsed());

    let (before, begun) = (redis.calls("evalsha").await, Instant::now());
    assert!(queue.receive(&json!({"waitSeconds": 2})).await.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    // Pauses of 100, 200 and 400 ms, then of half a second.
    let calls = redis.calls("evalsha").await - before;
    assert!((2..=7).contains(&calls), "{calls}");

    for seconds in [-1, 21] {
        let refused = queue.post("receive", &json!({"waitSeconds": seconds})).await;
        refused.expect_problem(400, "limit_exceeded");
    }
}
