//! `POST /push/test` and `GET /push/key`: nothing here needs the record.

use std::time::Duration;

use serde_json::json;
use support::push_tester::PushTester;
use support::{Answer, Functions, RedisServer, eventually, token};

async fn ask(functions: &Functions, user: &str) -> Answer {
    let admin = token("admin", "push:write");
    let body = json!({ "userId": user }).to_string();
    functions.post("/push/test", body).token(&admin).send().await
}

#[tokio::test]
async fn a_test_push_is_answered_with_what_the_worker_says() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let _worker = PushTester::start(&redis).await;
    let answer = ask(&functions, "alice").await.expect(200);
    assert_eq!(answer.json(), json!({"results": PushTester::results()}));
    // Not the scope of the worker.
    let worker = token("worker", "push:send");
    let call = functions.post("/push/test", r#"{"userId":"a"}"#).token(&worker);
    call.send().await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_test_push_that_no_worker_takes_is_withdrawn() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let (answer, ()) = tokio::join!(ask(&functions, "alice"), async {
        let waiting =
            eventually("the test push waits", async || redis.list("bw:push:tests").await.pop());
        let waiting: serde_json::Value = serde_json::from_str(&waiting.await).unwrap();
        assert_eq!(waiting["userId"], "alice");
        assert_eq!(waiting["nonce"].as_str().map(str::len), Some(16));
        let ttl: i64 = redis.run("TTL bw:push:tests").await;
        assert!((1..=60).contains(&ttl), "{ttl}");
    });
    let limit = Duration::from_secs(20);
    let problem = answer.expect_problem(503, "not_ready").within(limit).json();
    assert_eq!(problem["detail"], "no push worker answered");
    assert!(redis.list("bw:push:tests").await.is_empty(), "no worker may send it later");
}

#[tokio::test]
async fn the_list_of_test_pushes_is_bounded() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let many = vec!["{}"; 100];
    redis.command(&[["RPUSH", "bw:push:tests"].as_slice(), many.as_slice()].concat()).await;
    redis.command(&["EXPIRE", "bw:push:tests", "60"]).await;
    let answer = ask(&functions, "alice").await.within(Duration::from_secs(5));
    answer.expect_problem(503, "not_ready");
    assert_eq!(redis.list("bw:push:tests").await.len(), 100);
    redis.command(&["DEL", "bw:push:tests"]).await;
    redis.command(&["SET", "bw:push:tests", "x", "EX", "60"]).await;
    ask(&functions, "alice").await.expect_problem(409, "wrong_type");
}

#[tokio::test]
async fn the_public_key_is_told_if_there_is_one() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let problem = functions.get("/push/key").send().await.expect_problem(404, "not_found").json();
    assert_eq!(problem["detail"], "Web Push is not configured: set vapid_public_key");

    let key = format!("B{}", "x-_9".repeat(22))[..87].to_owned();
    let functions = Functions::with(&redis).variable("vapid_public_key", &*key).start().await;
    let answer = functions.get("/push/key").send().await.expect(200);
    assert_eq!(answer.json(), json!({ "key": key }));

    let functions = Functions::with(&redis).variable("vapid_public_key", "short").start().await;
    let problem = functions.get("/push/key").send().await.expect_problem(500, "internal").json();
    assert!(problem["detail"].as_str().unwrap().contains("vapid_public_key"), "{problem}");
}
