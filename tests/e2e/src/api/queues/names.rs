//! What a request must look like: names, limits, scopes.

use serde_json::{Value, json};
use support::{Functions, RedisServer, token};

use super::Queue;

#[tokio::test]
async fn no_name_reaches_another_capabilitys_keys() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "hello").await;
    for name in [
        "notifications:alice",
        "bw:feed:x",
        "bw%3Aevents",
        "user:alice:token",
        "campaign:7",
        "campaign:7:responses",
        "online_users",
        // Declared in resources.toml.
        "all_blogs",
        "profile:alice",
        "settings",
    ] {
        let queue = Queue { functions: &functions, name };
        for (what, body) in [
            ("messages", json!({"messages": [1]})),
            ("receive", json!({})),
            ("ack", json!({"receipts": ["x:1"]})),
            ("nack", json!({"receipts": ["x:1"]})),
            ("extend", json!({"receipts": ["x:1"], "visibilitySeconds": 1})),
            ("redrive", json!({})),
        ] {
            queue.post(what, &body).await.expect_problem(400, "reserved_name");
        }
        queue.get("").await.expect_problem(400, "reserved_name");
        queue.get("/dead").await.expect_problem(400, "reserved_name");
    }
    for name in ["a%20b", "%7Bwork%7D", "a%2Fb", &"x".repeat(129)] {
        let queue = Queue { functions: &functions, name };
        queue.get("").await.expect_problem(400, "invalid_id");
    }
    assert_eq!(functions.titles("alice").await, ["hello"]);
}

#[tokio::test]
async fn limits_are_named() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let long = "x".repeat(64 * 1024);
    let many = |count: usize| Value::from(vec![json!("a:1"); count]);
    let cases = [
        ("messages", json!({}), "missing_field", "messages"),
        ("messages", json!({"messages": []}), "invalid_field", "messages"),
        ("messages", json!({"messages": 7}), "invalid_field", "messages"),
        ("messages", json!({"messages": many(501)}), "limit_exceeded", "messages"),
        ("messages", json!({"messages": [1, long]}), "limit_exceeded", "messages[1]"),
        ("messages", json!({"messages": ["\u{0}"]}), "invalid_field", "messages[0]"),
        (
            "messages",
            json!({"messages": [1], "delaySeconds": -1}),
            "limit_exceeded",
            "delaySeconds",
        ),
        ("messages", json!({"messages": [1], "delay": 1}), "unknown_field", "delay"),
        ("messages", json!({"messages": [1], "dedupId": "a b"}), "invalid_field", "dedupId"),
        ("receive", json!({"max": 101}), "limit_exceeded", "max"),
        ("receive", json!({"max": 1.5}), "invalid_field", "max"),
        ("receive", json!({"visibilitySeconds": 0}), "limit_exceeded", "visibilitySeconds"),
        ("receive", json!({"visibilitySeconds": 43201}), "limit_exceeded", "visibilitySeconds"),
        ("receive", json!({"maxReceives": 101}), "limit_exceeded", "maxReceives"),
        ("ack", json!({"receipts": []}), "invalid_field", "receipts"),
        ("ack", json!({"receipts": [1]}), "invalid_field", "receipts"),
        ("ack", json!({"receipts": many(501)}), "limit_exceeded", "receipts"),
        (
            "nack",
            json!({"receipts": ["a"], "reason": "x".repeat(1025)}),
            "limit_exceeded",
            "reason",
        ),
        ("extend", json!({"receipts": ["a"]}), "missing_field", "visibilitySeconds"),
        ("redrive", json!({"max": 0}), "limit_exceeded", "max"),
        ("redrive", json!({"ids": []}), "invalid_field", "ids"),
    ];
    for (what, body, code, field) in cases {
        let answer = queue.post(what, &body).await;
        let answer = answer.expect_problem(400, code);
        assert_eq!(answer.json()["field"], field, "{what}");
    }
    for (target, field) in [("/dead?limit=101", "limit"), ("/dead?cursor=x", "cursor")] {
        let answer = queue.get(target).await.expect_problem(400, "invalid_field");
        assert_eq!(answer.json()["field"], field);
    }
    let empty: i64 = redis.run("EXISTS work").await;
    assert_eq!(empty, 0);
}

#[tokio::test]
async fn only_the_scope_opens_a_queue_and_methods_are_told() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let other = token("a worker", "campaigns:write cache:write ops:write");
    for (method, target, allowed) in [
        ("POST", "/queues/work/messages", "POST"),
        ("POST", "/queues/work/receive", "POST"),
        ("POST", "/queues/work/ack", "POST"),
        ("POST", "/queues/work/nack", "POST"),
        ("POST", "/queues/work/extend", "POST"),
        ("POST", "/queues/work/redrive", "POST"),
        ("GET", "/queues/work", "GET, HEAD"),
        ("GET", "/queues/work/dead", "GET, HEAD"),
    ] {
        let answer = functions.call(method, target).token(&other).body("{}").send().await;
        answer.expect_problem(403, "forbidden");
        let answer = functions.call(method, target).body("{}").send().await;
        answer.expect_problem(401, "unauthorized");
        let answer = functions.call("PUT", target).token(&other).body("{}").send().await;
        let answer = answer.expect_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed, "{target}");
    }
    for target in ["/queues/work/else", "/queues/work/dead/1"] {
        let answer = functions.get(target).token(&other).send().await;
        answer.expect_problem(404, "not_found");
    }
}
