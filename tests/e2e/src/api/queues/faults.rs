//! A Redis that dies, forgets, or is full.

use serde_json::json;
use support::{Functions, RedisServer};

use super::{Queue, payloads, receipts};

#[tokio::test]
async fn without_redis_everything_is_a_503_and_afterwards_all_is_there() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!(1), json!(2)]).await;
    let messages = queue.receive(&json!({"max": 1})).await;
    redis.kill();
    for (what, body) in [
        ("messages", json!({"messages": [3]})),
        ("receive", json!({})),
        ("ack", json!({"receipts": receipts(&messages)})),
    ] {
        let answer = queue.post(what, &body).await;
        let answer = answer.expect_problem(503, "redis_unavailable");
        assert!(answer.header_opt("retry-after").is_some(), "{what}");
    }
    redis.restart().await;
    queue.post("ack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    assert_eq!(payloads(&queue.receive(&json!({})).await), [json!(2)]);
}

#[tokio::test]
async fn a_receipt_from_before_a_flush_fits_no_later_message() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!("before")]).await;
    let before = queue.receive(&json!({})).await;
    let _: () = redis.run("FLUSHALL").await;
    queue.send(&[json!("after")]).await;
    let after = queue.receive(&json!({})).await;
    assert_ne!(receipts(&before), receipts(&after));
    let stale = queue.post("ack", &json!({"receipts": receipts(&before)})).await;
    stale.expect_problem(409, "stale_receipt");
    queue.post("ack", &json!({"receipts": receipts(&after)})).await.expect(200);
}

#[tokio::test]
async fn a_full_redis_loses_nothing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!(1), json!(2)]).await;
    let first = queue.receive(&json!({"max": 1})).await;
    let _: () = redis.run("CONFIG SET maxmemory 1").await;
    assert_eq!(queue.post("messages", &json!({"messages": [3]})).await.status, 503);
    assert_eq!(queue.post("receive", &json!({})).await.status, 503);
    let _: () = redis.run("CONFIG SET maxmemory 0").await;
    assert_eq!(payloads(&queue.receive(&json!({})).await), [json!(2)]);
    queue.post("nack", &json!({"receipts": receipts(&first)})).await.expect(200);
    assert_eq!(payloads(&queue.receive(&json!({})).await), [json!(1)]);
}

#[tokio::test]
async fn a_send_that_is_made_again_over_a_new_connection_is_one_send() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!(0)]).await;
    for n in 1..=20 {
        // The kept connection is gone: the component finds out with this call, and opens another.
        let _: i64 = redis.run("CLIENT KILL TYPE normal SKIPME yes").await;
        queue.send(&[json!(n)]).await;
    }
    assert_eq!(queue.stats().await["ready"], 21);
}
