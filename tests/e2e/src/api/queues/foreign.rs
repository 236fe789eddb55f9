//! Services that use the list itself, and know of nothing else.

use serde_json::json;
use shared::keys::queue_dedup;
use shared::limits::{QUEUE_DEDUP_S, QUEUE_PAYLOAD_DEPTH_MAX};
use support::{Functions, RedisServer};

use super::{Queue, payloads, receipts};

#[tokio::test]
async fn a_service_that_pushes_and_pops_takes_part() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "notification:responses" };
    let _: i64 = redis.run_words(&["RPUSH", queue.name, r#"{"from": "them"}"#]).await;
    queue.send(&[json!({"from": "us"}), json!({"from": "us", "n": 2})]).await;
    assert_eq!(queue.stats().await["ready"], 3);
    let theirs = queue.receive(&json!({"max": 1})).await;
    assert_eq!(payloads(&theirs), [json!({"from": "them"})]);
    queue.post("ack", &json!({"receipts": receipts(&theirs)})).await.expect(200);
    let popped: String = redis.run_words(&["LPOP", queue.name]).await;
    assert_eq!(popped, r#"{"from":"us"}"#);
    assert_eq!(payloads(&queue.receive(&json!({})).await), [json!({"from": "us", "n": 2})]);
}

#[tokio::test]
async fn what_is_no_json_goes_to_the_dead_letters_and_not_into_a_loop() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    for poison in ["not json", "", "{", "{} {}"] {
        let _: i64 = redis.run_words(&["RPUSH", "work", poison]).await;
    }
    let binary = redis::cmd("RPUSH").arg("work").arg(&[0xff_u8, 0xfe][..]).to_owned();
    let _: i64 = binary.query_async(&mut redis.connection().await).await.unwrap();
    queue.send(&[json!("sound")]).await;
    let messages = queue.receive(&json!({"max": 10})).await;
    assert_eq!(payloads(&messages), [json!("sound")]);
    let page = queue.get("/dead").await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 5, "{page}");
    assert!(items.iter().all(|item| item["reason"] == "not JSON" && item["attempts"] == 1));
    assert_eq!((&items[0]["raw"], items[0].get("payload")), (&json!("not json"), None));
    assert_eq!(queue.stats().await["inFlight"], 1);
}

#[tokio::test]
async fn a_dedup_id_that_another_service_wrote_is_free_again_after_its_time() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let used = queue_dedup("work", "once");
    redis.run_words::<()>(&["LPUSH", &used, "x"]).await;
    let message = json!({"messages": [1], "dedupId": "once"});
    let answer = queue.post("messages", &message).await.expect(200).json();
    assert_eq!(answer, json!({"accepted": 0, "duplicate": true}));
    let left_s: i64 = redis.run_words(&["TTL", &used]).await;
    assert!((1..=QUEUE_DEDUP_S as i64).contains(&left_s), "{left_s}");
}

#[tokio::test]
async fn what_is_nested_too_deep_goes_to_the_dead_letters_and_not_to_a_consumer() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for depth in [QUEUE_PAYLOAD_DEPTH_MAX + 1, 20_000, QUEUE_PAYLOAD_DEPTH_MAX] {
        let _: i64 = redis.run_words(&["RPUSH", "work", &nested(depth)]).await;
    }
    let answer = queue.post("receive", &json!({"max": 10})).await.expect(200);
    assert_eq!(answer.json()["messages"].as_array().unwrap().len(), 1);
    assert!(answer.text().contains(&nested(QUEUE_PAYLOAD_DEPTH_MAX)));
    let page = queue.get("/dead").await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{page}");
    assert!(items.iter().all(|item| item["reason"] == "nested too deep"));
    assert_eq!((&items[1]["raw"], items[1].get("payload")), (&json!(nested(20_000)), None));
}

#[tokio::test]
async fn a_payload_that_is_nested_too_deep_is_refused_and_named() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let token = support::token("a worker", "queues:write");
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for depth in [QUEUE_PAYLOAD_DEPTH_MAX + 1, 20_000] {
        let body = format!("{{\"messages\":[1,{}]}}", nested(depth));
        let answer = functions.post("/queues/work/messages", body).token(&token).send().await;
        let answer = answer.expect_problem(400, "limit_exceeded");
        assert!(answer.text().contains("messages[1]"), "{}", answer.text());
    }
    assert_eq!(redis.list("work").await.len(), 0);
    let body = format!("{{\"messages\":[1,{}]}}", nested(QUEUE_PAYLOAD_DEPTH_MAX));
    functions.post("/queues/work/messages", body).token(&token).send().await.expect(200);
}

#[tokio::test]
async fn a_key_of_another_type_is_told_and_left_alone() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    redis.expect_foreign("work");
    let _: () = redis.run("SET work theirs EX 100").await;
    for (what, body) in [
        ("messages", json!({"messages": [1]})),
        ("messages", json!({"messages": [1], "delaySeconds": 1})),
        ("receive", json!({})),
        ("ack", json!({"receipts": ["x:1"]})),
        ("nack", json!({"receipts": ["x:1"]})),
        ("extend", json!({"receipts": ["x:1"], "visibilitySeconds": 1})),
        ("redrive", json!({})),
    ] {
        queue.post(what, &body).await.expect_problem(409, "wrong_type");
    }
    queue.get("").await.expect_problem(409, "wrong_type");
    queue.get("/dead").await.expect_problem(409, "wrong_type");
    let value: String = redis.run("GET work").await;
    assert_eq!(value, "theirs");
    let ttl_s: i64 = redis.run("TTL work").await;
    assert!((1..=100).contains(&ttl_s), "{ttl_s}");
}

#[tokio::test]
async fn payloads_that_are_larger_than_ours_come_a_few_at_a_time() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    for _ in 0..20 {
        let _: i64 = redis.run_words(&["RPUSH", "work", &large]).await;
    }
    let (mut received, mut calls) = (0, 0);
    while received < 20 {
        let messages = queue.receive(&json!({"max": 100, "maxReceives": 1})).await;
        assert!((1..=7).contains(&messages.len()), "{} at once", messages.len());
        received += messages.len();
        calls += 1;
        let body = json!({"receipts": receipts(&messages)});
        queue.post("nack", &body).await.expect(200);
    }
    assert!(calls <= 4, "{calls} calls");
    let page = queue.get("/dead?limit=100").await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 7);
    assert!(page["next"].is_string());
}
