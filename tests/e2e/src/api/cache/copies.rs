//! `local`: an instance answers from its own copy for a while.

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Answer, Functions, Origin, RedisServer, eventually_within, token};

use super::nth;

const TIME: Duration = Duration::from_millis(500);

const RESOURCES: &str = r#"
[[resource]]
path = "hot"
access = "public"
fresh = "100s"
local = "500ms"
tags = ["all"]
http = { url = "http://{{ settings_host }}/hot", honour_cache_control = false }

[[resource]]
path = "mine/{userId}"
access = "subject:userId"
fresh = "100s"
local = "500ms"
http = { url = "http://{{ settings_host }}/users/{userId}", honour_cache_control = false }
"#;

async fn start() -> (RedisServer, Origin, Functions) {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    let setup = Functions::with(&redis).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    (redis, origin, functions)
}

async fn read(functions: &Functions) -> Answer {
    functions.get("/cache/hot").send().await.expect(200)
}

async fn commands(redis: &RedisServer) -> u64 {
    redis.calls("mget").await + redis.calls("evalsha").await + redis.calls("eval").await
}

#[tokio::test]
async fn a_hot_value_costs_redis_hardly_a_command_and_looks_as_ever() {
    let (redis, origin, functions) = start().await;
    read(&functions).await;
    let first = read(&functions).await;
    let _: String = redis.run("CONFIG RESETSTAT").await;
    let begun = Instant::now();
    let page = json!({"paths": ["hot"]}).to_string();
    const READS: u64 = 500;
    for at in 0..READS {
        let answer = read(&functions).await;
        assert_eq!(answer.text(), nth(1));
        assert_eq!(answer.header("etag"), first.header("etag"));
        assert!(answer.header("cache-status").starts_with("bellwire; hit; ttl="), "{answer:?}");
        assert!(answer.header("cache-control").starts_with("public, max-age="), "{answer:?}");
        let age: u64 = answer.header("age").parse().unwrap();
        assert!(age <= begun.elapsed().as_secs() + 1, "{answer:?}");
        if at % 50 == 0 {
            let call = functions.get("/cache/hot").header("if-none-match", answer.header("etag"));
            call.send().await.expect(304);
            let found = functions.post("/cache/read", page.clone()).send().await.expect(200).json();
            assert_eq!(found["results"][0]["etag"], first.header("etag"));
        }
    }
    // Each instance reads it once per time, and writes its counts once a second.
    let periods = 1 + u64::try_from(begun.elapsed().as_millis() / TIME.as_millis()).unwrap();
    let instances = 1 + READS / 100;
    let calls = commands(&redis).await;
    assert!(calls <= 2 * (instances + 1) * periods + 10, "{calls} in {:?}", begun.elapsed());
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn an_invalidation_takes_effect_within_the_time() {
    let (redis, origin, functions) = start().await;
    let second = Functions::with(&redis).resources(RESOURCES);
    let second = second.variable("settings_host", origin.address()).start().await;
    for round in 1..=3 {
        read(&second).await;
        read(&functions).await;
        let call = functions.post("/cache/invalidate", json!({"tags": ["all"]}).to_string());
        call.token(&token("svc", "cache:write")).send().await.expect(200);
        let done = Instant::now();
        eventually_within(Duration::from_secs(5), "the second host sees it", async || {
            (read(&second).await.text() == nth(round + 1)).then_some(())
        })
        .await;
        // Its time, and a request that was under way at its end.
        assert!(done.elapsed() < TIME + Duration::from_millis(400), "{:?}", done.elapsed());
        // Also in all instances of the first.
        eventually_within(Duration::from_secs(5), "the first host sees it", async || {
            (read(&functions).await.text() == nth(round + 1)).then_some(())
        })
        .await;
    }
    let _: String = redis.run(r#"SET hot {"theirs":1} EX 50"#).await;
    eventually_within(Duration::from_secs(5), "another service's value is served", async || {
        (read(&functions).await.text() == r#"{"theirs":1}"#).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_copy_is_for_those_who_may_read_it() {
    let (_redis, origin, functions) = start().await;
    let read =
        async |user: &str| functions.get("/cache/mine/alice").token(&token(user, "")).send().await;
    for _ in 0..3 {
        read("alice").await.expect(200);
        read("bob").await.expect_problem(403, "forbidden");
        functions.get("/cache/mine/alice").send().await.expect_problem(401, "unauthorized");
    }
    assert_eq!(origin.count(), 1);
}
