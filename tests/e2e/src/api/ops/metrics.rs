//! `GET /metrics`: numbers of Redis, record and queues, also while one of them is away.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use support::{Answer, Functions, RedisServer, token};

async fn scrape(functions: &Functions, query: &str) -> Answer {
    let call = functions.get(&format!("/metrics{query}")).token(&token("prometheus", "ops:read"));
    call.send().await
}

/// The values by series.
async fn values(functions: &Functions, query: &str) -> BTreeMap<String, i64> {
    let answer = scrape(functions, query).await.expect(200).within(Duration::from_secs(8));
    let lines = answer.text().lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.strip_prefix("bellwire_functions_").unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(pair).collect()
}

const AUTH: &str = r#"ready{part="auth"}"#;
const REDIS: &str = r#"ready{part="redis"}"#;
const RECORD: &str = r#"ready{part="record"}"#;

#[tokio::test]
async fn the_page_has_redis_the_record_and_the_named_queues() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let sent = functions.post("/queues/mails/messages", r#"{"messages":[1,2],"delaySeconds":60}"#);
    sent.token(&token("svc", "queues:write")).send().await.expect(200);
    redis.command(&["SET", "text", "x", "EX", "60"]).await;
    let values = values(&functions, "?queues=mails,text,unused").await;
    for (series, value) in [
        (AUTH, 1),
        (REDIS, 1),
        (RECORD, 1),
        ("late_users", 0),
        ("redis_memory_max_bytes", 0),
        ("redis_evicted_keys_total", 0),
        (r#"queue_messages{queue="mails",state="delayed"}"#, 2),
        (r#"queue_messages{queue="mails",state="dead"}"#, 0),
        (r#"queue_messages{queue="unused",state="ready"}"#, 0),
        (r#"queue_oldest_seconds{queue="unused"}"#, 0),
    ] {
        assert_eq!(values.get(series), Some(&value), "{series}: {values:#?}");
    }
    assert!(values["redis_memory_bytes"] > 100_000 && values["redis_clients"] > 0, "{values:?}");
    assert!(values["redis_clients_max"] > 100 && values["redis_keys"] > 0, "{values:?}");
    assert!(!values.keys().any(|series| series.contains("queue=\"text\"")), "{values:?}");
}

#[tokio::test]
async fn users_who_have_waited_for_minutes_are_counted_until_the_relay_has_been_there() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    functions.notify("nobody", "tables").await;
    redis.kill();
    for user in ["alice", "bob", "carol"] {
        let body = json!({"userId": user, "title": "waits"});
        assert_eq!(functions.create(&body).await.expect(201).json()["delivery"], "pending");
    }
    let before = values(&functions, "").await;
    assert_eq!((before[REDIS], before[RECORD], before["late_users"]), (0, 1, 0), "{before:?}");
    assert!(!before.keys().any(|series| series.starts_with("redis_")), "{before:?}");
    let age = "UPDATE feed SET updated_at_ms = updated_at_ms - 121000 WHERE user_id <> 'carol'";
    functions.record.open().execute_batch(age).unwrap();
    // `nobody` was delivered, but no relay has noted it.
    assert_eq!(values(&functions, "").await["late_users"], 3);
    redis.restart().await;
    functions.relay().await.expect(200);
    let after = values(&functions, "").await;
    assert_eq!((after[REDIS], after["late_users"]), (1, 0), "{after:?}");
}

#[tokio::test]
async fn a_record_that_is_away_leaves_the_numbers_of_redis() {
    let redis = RedisServer::start().await;
    let functions = Functions::with(&redis).start().await;
    std::fs::create_dir(functions.record.path()).unwrap();
    let values = values(&functions, "?queues=mails").await;
    assert_eq!((values[AUTH], values[REDIS], values[RECORD]), (1, 1, 0), "{values:?}");
    assert!(!values.contains_key("late_users") && values["redis_memory_bytes"] > 0, "{values:?}");
    assert_eq!(values[r#"queue_messages{queue="mails",state="ready"}"#], 0);
    std::fs::remove_dir(functions.record.path()).unwrap();
}

#[tokio::test]
async fn the_page_needs_its_scope_and_valid_names() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.get("/metrics").send().await.expect_problem(401, "unauthorized");
    let other = functions.get("/metrics").token(&token("svc", "queues:read")).send().await;
    other.expect_problem(403, "forbidden");
    for (query, code) in [
        ("?queues=a%20b", "invalid_id"),
        ("?queues=user:alice:token", "reserved_name"),
        ("?queue=a", "unknown_field"),
    ] {
        scrape(&functions, query).await.expect_problem(400, code);
    }
    let posted = functions.post("/metrics", "").token(&token("svc", "ops:read")).send().await;
    assert_eq!(posted.expect_problem(405, "method_not_allowed").header("allow"), "GET, HEAD");
}
