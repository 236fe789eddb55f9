//! Who is online, as the functions see it: the set that hubs and other services write.

use std::time::Duration;

use serde_json::{Value, json};
use support::{Answer, Functions, Hub, RedisServer, eventually, token};

use crate::api::limits::refuses_more_than;

const BOUND: Duration = Duration::from_secs(5);

async fn call(functions: &Functions, method: &str, path: &str, body: Value) -> Answer {
    let call = functions.call(method, path).token(&token("svc", "presence:read"));
    match body {
        Value::Null => call.send().await,
        body => call.body(body.to_string()).send().await,
    }
}

#[tokio::test]
async fn users_are_online_while_they_have_a_socket() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let get =
        async |path: &str| call(&functions, "GET", path, Value::Null).await.expect(200).json();
    assert_eq!(get("/presence").await, json!({"count": 0}));
    assert_eq!(get("/presence/alice").await, json!({"userId": "alice", "online": false}));

    let socket = hub.connect("alice").await;
    eventually("alice is online", async || {
        (get("/presence/alice").await["online"] == true).then_some(())
    })
    .await;
    // Another service's user, in the same set.
    let _: i64 = redis.run("SADD online_users theirs 7").await;
    assert_eq!(get("/presence").await, json!({"count": 3}));
    let asked = json!({"userIds": ["alice", "bob", "theirs", 7, "alice"]});
    let answer = call(&functions, "POST", "/presence", asked).await.expect(200).json();
    let online = json!({"alice": true, "bob": false, "theirs": true, "7": true});
    assert_eq!(answer, json!({ "online": online }));
    let members: Vec<String> = redis.run("SMEMBERS online_users").await;
    assert!(members.contains(&"alice".to_owned()), "what a plain client reads: {members:?}");

    drop(socket);
    eventually("alice is offline", async || {
        (get("/presence/alice").await["online"] == false).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_thousand_are_one_question_and_more_are_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let _: i64 = redis.run("SADD online_users u999").await;
    let ids = |many: usize| (0..many).map(|at| format!("u{at}")).collect::<Vec<_>>();
    let _: () = redis.run("CONFIG RESETSTAT").await;
    let answer = call(&functions, "POST", "/presence", json!({"userIds": ids(1000)})).await;
    let answer = answer.expect(200).json();
    assert_eq!(answer["online"].as_object().unwrap().len(), 1000);
    assert_eq!(
        (&answer["online"]["u999"], &answer["online"]["u998"]),
        (&json!(true), &json!(false))
    );
    let stats: String = redis.run("INFO commandstats").await;
    assert!(stats.contains("cmdstat_smismember:calls=1,"), "{stats}");
    assert!(!stats.contains("cmdstat_sismember"), "{stats}");

    let empty = call(&functions, "POST", "/presence", json!({"userIds": []})).await;
    assert_eq!(empty.expect(200).json(), json!({"online": {}}));
    for (body, code, named) in [
        (json!({"userIds": ids(1001)}), "limit_exceeded", "1000"),
        (json!({"userIds": ["a", "b c"]}), "invalid_id", "userIds[1]"),
        (json!({"userIds": ["a", null]}), "invalid_field", "userIds[1]"),
        (json!({"userIds": "a"}), "invalid_field", "userIds"),
        (json!({}), "missing_field", "userIds"),
        (json!({"userIds": [], "users": []}), "unknown_field", "users"),
        (json!([]), "bad_json", "object"),
    ] {
        let answer = call(&functions, "POST", "/presence", body).await.expect_problem(400, code);
        assert!(answer.text().contains(named), "{}", answer.text());
    }
    let answer = call(&functions, "GET", "/presence?x=1", Value::Null).await;
    answer.expect_problem(400, "unknown_field");
    call(&functions, "GET", "/presence/a%20b", Value::Null).await.expect_problem(400, "invalid_id");
    refuses_more_than(&functions, "POST /presence", "presence:read", 4 * 1024 * 1024).await;
}

#[tokio::test]
async fn presence_is_for_services_only() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for (method, path, allow) in [
        ("GET", "/presence", "GET, HEAD, POST"),
        ("POST", "/presence", "GET, HEAD, POST"),
        ("GET", "/presence/alice", "GET, HEAD"),
    ] {
        functions.call(method, path).send().await.expect_problem(401, "unauthorized");
        let own = functions.call(method, path).token(&token("alice", "presence:write feed:read"));
        let refused = own.send().await.expect_problem(403, "forbidden");
        assert!(refused.text().contains("presence:read"), "{}", refused.text());
        let other = call(&functions, "DELETE", path, Value::Null).await;
        let other = other.expect_problem(405, "method_not_allowed");
        assert_eq!(other.header("allow"), allow);
    }
    call(&functions, "GET", "/presence/a/b", Value::Null).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn trouble_with_redis_is_told_in_time() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    let asked = || json!({"userIds": ["alice"]});
    let all = async || {
        [
            call(&functions, "GET", "/presence", Value::Null).await.within(BOUND),
            call(&functions, "POST", "/presence", asked()).await.within(BOUND),
            call(&functions, "GET", "/presence/alice", Value::Null).await.within(BOUND),
        ]
    };
    let _: () = redis.run("SET online_users text EX 1000").await;
    for answer in all().await {
        answer.expect_problem(409, "wrong_type");
    }
    let _: i64 = redis.run("DEL online_users").await;
    redis.kill();
    for answer in all().await {
        let answer = answer.expect_problem(503, "redis_unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
    redis.restart().await;
    for answer in all().await {
        answer.expect(200);
    }
}
