//! Health and administration.

mod metrics;
mod redis;

use std::time::Duration;

use serde_json::json;
use support::{Answer, Functions, Published, RedisServer, token};

async fn migrate(functions: &Functions, body: &str) -> Answer {
    let token = token("an operator", "ops:write");
    functions.post("/admin/migrate", body.to_owned()).token(&token).send().await
}

#[tokio::test]
async fn health_needs_nothing_and_readiness_needs_redis_and_the_record() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    functions.get("/healthz").send().await.expect(200);
    functions.get("/readyz").send().await.expect(200);
    redis.kill();
    functions.get("/healthz").send().await.expect(200);
    let limit = Duration::from_secs(5);
    let answer = functions.get("/readyz").send().await.within(limit);
    let answer = answer.expect_problem(503, "redis_unavailable");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    redis.restart().await;
    // At once: what broke is not kept.
    functions.get("/readyz").send().await.expect(200);
}

#[tokio::test]
async fn a_missing_permission_is_not_ready_and_named() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for (rule, named) in [
        ("resetchannels &notifications", "PUBLISH on bw:events"),
        ("-lpush", "LPUSH on notifications:*"),
        ("resetkeys ~notifications:* ~bw:*", "GET on user:*:token"),
        ("-eval -evalsha", "EVALSHA"),
        ("-info", "INFO"),
    ] {
        let rules = format!("ACL SETUSER default {rule}");
        redis.run::<()>(&rules).await;
        let answer = functions.get("/readyz").send().await.expect_problem(503, "not_ready");
        assert!(answer.text().contains(named), "{rule}: {}", answer.text());
        assert!(answer.header_opt("retry-after").is_some());
        redis.run::<()>("ACL SETUSER default allchannels allkeys +@all").await;
        functions.get("/readyz").send().await.expect(200);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_opened_is_not_ready() {
    let redis = RedisServer::start().await;
    let setup = Functions::with(&redis);
    let functions = setup.start().await;
    // A directory lies where the file should be: nothing has opened it yet.
    std::fs::create_dir(functions.record.path()).unwrap();
    let answer = functions.get("/readyz").send().await;
    let answer = answer.expect_problem(503, "record_unavailable");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    let refused = functions.create(&json!({"userId": "alice", "title": "one"})).await;
    let refused = refused.expect_problem(503, "record_unavailable");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    assert!(!refused.text().contains("record.db"), "tells internals: {}", refused.text());
    std::fs::remove_dir(functions.record.path()).unwrap();
    functions.notify("alice", "two").await;
}

#[tokio::test]
async fn a_component_that_may_not_reach_redis_answers_in_time() {
    let limit = Duration::from_secs(5);
    let redis = RedisServer::start().await;
    // The manifest allows `redis_host` only, and that is somewhere else.
    let setup = Functions::with(&redis).variable("redis_host", "127.0.0.1:1");
    let functions = setup.start().await;
    let body = json!({"userId": "alice", "title": "one"});
    let answer = functions.create(&body).await.expect(201).within(limit);
    assert_eq!(answer.json()["delivery"], "pending");
    let feed = functions.feed("alice").await.expect(200).within(limit).json();
    assert_eq!(support::functions::titles(&feed), ["one"]);
    assert_eq!(feed["notifications"][0]["delivery"], "pending");
    let answer = functions.get("/readyz").send().await.within(limit);
    answer.expect_problem(503, "redis_unavailable");
    functions.relay().await.within(limit).expect_problem(503, "redis_unavailable");
    assert_eq!(redis.run::<i64>("DBSIZE").await, 0, "it reached Redis nevertheless");
}

#[tokio::test]
async fn migrations_can_be_repeated() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let first = migrate(&functions, "").await.expect(200).json();
    functions.notify("alice", "one").await;
    for body in ["", "{}", r#"{"rotateEpoch":false}"#] {
        assert_eq!(migrate(&functions, body).await.expect(200).json(), first);
    }
    assert_eq!(functions.record.epoch(), first["epoch"].as_str().unwrap());
    functions.notify("alice", "two").await;
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    for (body, code) in [
        ("x", "bad_json"),
        (r#"{"rotateEpoch":1}"#, "invalid_field"),
        (r#"{"epoch":"mine"}"#, "unknown_field"),
    ] {
        migrate(&functions, body).await.expect_problem(400, code);
    }
}

#[tokio::test]
async fn a_rotated_epoch_reaches_everyone_and_loses_nothing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    functions.notify("alice", "one").await;
    let before = functions.record.epoch();
    let rotated = migrate(&functions, r#"{"rotateEpoch":true}"#).await.expect(200).json();
    assert_eq!(rotated["epoch"], functions.record.epoch());
    assert_ne!(functions.record.epoch(), before);
    functions.notify("alice", "two").await;
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    let last = published.messages().pop().unwrap();
    assert!(last.contains(&functions.record.epoch()), "{last}");
}
