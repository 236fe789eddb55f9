//! Campaigns: users in order, each for one worker; progress; what came back.

mod foreign;
mod push;
mod requests;
mod responses;
mod tokens;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Functions, Proxy, RedisServer, token};

const BOUND: Duration = Duration::from_secs(9);
const LIST: &str = "campaign:c1";

async fn call(functions: &Functions, method: &str, path: &str, body: Value) -> Answer {
    let path = format!("/campaigns/{path}");
    let call = functions.call(method, &path).token(&token("svc", "campaigns:write"));
    match body {
        Value::Null => call.send().await,
        body => call.body(body.to_string()).send().await,
    }
}

fn users(range: std::ops::Range<usize>) -> Value {
    let user = |at| json!({"userId": format!("u{at}"), "fcmToken": format!("t{at}")});
    json!({"users": range.map(user).collect::<Vec<_>>()})
}

/// Appends users, and returns how many wait then.
async fn add(functions: &Functions, range: std::ops::Range<usize>) -> Value {
    let answer = call(functions, "POST", "c1/users", users(range)).await.expect(200).json();
    answer["remaining"].clone()
}

async fn next(functions: &Functions, count: usize) -> Value {
    let path = format!("c1/next?count={count}");
    call(functions, "POST", &path, Value::Null).await.expect(200).json()
}

async fn progress(functions: &Functions) -> Value {
    call(functions, "GET", "c1", Value::Null).await.expect(200).json()
}

/// `remaining`, `total` and `processed` of the campaign.
async fn counts(functions: &Functions) -> [i64; 3] {
    let progress = progress(functions).await;
    ["remaining", "total", "processed"].map(|name| progress[name].as_i64().unwrap())
}

fn ids(answer: &Value) -> Vec<String> {
    let users = answer["users"].as_array().unwrap();
    users.iter().map(|user| user["userId"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn users_are_given_out_in_order_and_counted() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    assert_eq!(add(&functions, 0..3).await, 3);
    assert_eq!(add(&functions, 3..5).await, 5);
    assert_eq!(counts(&functions).await, [5, 5, 0]);
    let first = next(&functions, 2).await;
    assert_eq!(first["users"][0], json!({"userId": "u0", "fcmToken": "t0"}));
    assert_eq!((ids(&first), &first["remaining"]), (vec!["u0".into(), "u1".into()], &json!(3)));
    // One, when the caller does not say.
    let one = call(&functions, "POST", "c1/next", Value::Null).await.expect(200).json();
    assert_eq!(ids(&one), ["u2"]);
    assert_eq!(counts(&functions).await, [2, 5, 3]);
    add(&functions, 5..6).await;
    assert_eq!(counts(&functions).await, [3, 6, 3]);
    assert_eq!(ids(&next(&functions, 500).await), ["u3", "u4", "u5"]);
    assert_eq!(next(&functions, 500).await, json!({"users": [], "remaining": 0}));
    assert_eq!(counts(&functions).await, [0, 6, 6]);

    // Replaced: it begins anew.
    add(&functions, 6..9).await;
    let answer = call(&functions, "PUT", "c1/users", users(20..22)).await.expect(200).json();
    assert_eq!(answer, json!({"remaining": 2}));
    assert_eq!(counts(&functions).await, [2, 2, 0]);
    assert_eq!(ids(&next(&functions, 10).await), ["u20", "u21"]);
    call(&functions, "PUT", "c1/users", json!({"users": []})).await.expect(200);
    assert_eq!(counts(&functions).await, [0, 0, 0]);
}

#[tokio::test]
async fn everything_expires_a_day_after_the_last_write() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    add(&functions, 0..3).await;
    call(&functions, "POST", "c1/responses", json!({"responses": [1]})).await.expect(200);
    let keys = [LIST, "campaign:c1:responses", "bw:campaign:{campaign:c1}"];
    for key in keys {
        let ttl: i64 = redis.run_words(&["TTL", key]).await;
        assert!((86_000..=86_400).contains(&ttl), "{key}: {ttl}");
        let _: i64 = redis.run_words(&["EXPIRE", key, "1000"]).await;
    }
    // Reading and taking do not prolong it, writing does.
    next(&functions, 1).await;
    let told = progress(&functions).await["expiresAt"].as_str().unwrap().to_owned();
    let at_ms: i64 = redis.run_words(&["PEXPIRETIME", LIST]).await;
    assert_eq!(told, shared::time::rfc3339(at_ms));
    let ttl: i64 = redis.run_words(&["TTL", LIST]).await;
    assert!(ttl <= 1000, "{ttl}");
    add(&functions, 3..4).await;
    for key in [LIST, "bw:campaign:{campaign:c1}"] {
        let ttl: i64 = redis.run_words(&["TTL", key]).await;
        assert!(ttl > 86_000, "{key}: {ttl}");
    }
    // Taken to the end, its progress can still be read for as long.
    next(&functions, 500).await;
    assert_eq!(counts(&functions).await, [0, 4, 4]);
    assert!(progress(&functions).await["expiresAt"].is_string());
}

#[tokio::test]
async fn a_campaign_is_removed_with_its_responses() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    call(&functions, "GET", "c1", Value::Null).await.expect_problem(404, "not_found");
    add(&functions, 0..3).await;
    call(&functions, "POST", "c1/responses", json!({"responses": [1]})).await.expect(200);
    for _ in 0..2 {
        call(&functions, "DELETE", "c1", Value::Null).await.expect(204);
        let left: Vec<String> = redis.run("KEYS *campaign:c1*").await;
        let once = left.iter().filter(|key| !key.starts_with("bw:once:"));
        assert_eq!(once.count(), 0, "{left:?}");
        call(&functions, "GET", "c1", Value::Null).await.expect_problem(404, "not_found");
    }
    // Asking makes nothing.
    assert_eq!(next(&functions, 5).await, json!({"users": [], "remaining": 0}));
    call(&functions, "GET", "c1", Value::Null).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn two_workers_never_get_the_same_user() {
    const USERS: usize = 5000;
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    assert_eq!(add(&functions, 0..USERS).await, USERS);
    let workers = (0..20).map(async |at: usize| {
        let mut got = Vec::new();
        loop {
            let users = ids(&next(&functions, 1 + at * 7 % 60).await);
            if users.is_empty() {
                return got;
            }
            got.push(users);
        }
    });
    let got: Vec<Vec<Vec<String>>> = join_all(workers).await;
    assert!(got.iter().filter(|batches| !batches.is_empty()).count() > 1, "one took them all");
    let all: Vec<&String> = got.iter().flatten().flatten().collect();
    let different: BTreeSet<&String> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (USERS, USERS));
    // Each worker's batches are in the campaign's order.
    for worker in &got {
        let numbers = worker.iter().flatten().map(|id| id[1..].parse::<usize>().unwrap());
        assert!(numbers.is_sorted());
    }
    assert_eq!(counts(&functions).await, [0, 5000, 5000]);
}

#[tokio::test]
async fn a_call_that_reaches_redis_twice_is_carried_out_once() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    add(&functions, 0..1).await;
    // As `runtime::spin::redis` repeats a call whose answer was lost: the same script with the same words.
    let scripts = [
        (&shared::script::CAMPAIGN_ADD, vec!["86400", "60", "append", "9", "9", "", "", "{}"]),
        (
            &shared::script::CAMPAIGN_ADD,
            vec!["86400", "60", "replace", "9", "9", "", "", "{}", "{}"],
        ),
        (&shared::script::CAMPAIGN_RESPOND, vec!["86400", "60", "9", "1", "2"]),
    ];
    for (at, (script, args)) in scripts.into_iter().enumerate() {
        let once = format!("bw:once:{{campaign:c1}}:{at}");
        let (list, responses) = (LIST, "campaign:c1:responses");
        let keys = match script.name {
            "campaign_respond" => vec![responses, once.as_str()],
            _ => vec![list, "bw:campaign:{campaign:c1}", once.as_str()],
        };
        let count = keys.len().to_string();
        let mut words = vec!["EVAL", script.source, &count];
        words.extend(keys.into_iter().chain(args));
        let first: Vec<i64> = redis.run_words(&words).await;
        let lengths = (redis.list(list).await.len(), redis.list(responses).await.len());
        let second: Vec<i64> = redis.run_words(&words).await;
        assert_eq!(first, second, "{at}");
        assert_eq!((redis.list(list).await.len(), redis.list(responses).await.len()), lengths);
        let ttl: i64 = redis.run_words(&["TTL", &once]).await;
        assert!((1..=60).contains(&ttl), "{ttl}");
    }
    assert_eq!(counts(&functions).await, [2, 2, 0]);
}

/// `POST` or `PUT` of users with an idempotency key.
async fn add_with_key(functions: &Functions, method: &str, key: &str, users: Value) -> Answer {
    let call = functions.call(method, "/campaigns/c1/users").header("idempotency-key", key);
    call.token(&token("svc", "campaigns:write")).body(users.to_string()).send().await
}

#[tokio::test]
async fn a_repeat_with_an_idempotency_key_adds_nobody() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let add = async |key, range| {
        add_with_key(&functions, "POST", key, users(range)).await.expect(200).json()
    };
    assert_eq!(add("k1", 0..3).await, json!({"remaining": 3}));
    assert_eq!(next(&functions, 2).await["remaining"], 1);
    assert_eq!(add("k1", 0..3).await, json!({"remaining": 1}));
    assert_eq!(add("k2", 0..3).await, json!({"remaining": 4}));
    assert_eq!(counts(&functions).await, [4, 6, 2]);

    let other = add_with_key(&functions, "POST", "k1", users(0..2)).await;
    other.expect_problem(422, "idempotency_mismatch");
    let replace = add_with_key(&functions, "PUT", "k1", users(0..3)).await;
    replace.expect_problem(422, "idempotency_mismatch");
    for key in ["", &"k".repeat(256)] {
        let answer = add_with_key(&functions, "POST", key, users(0..1)).await.expect(400);
        assert_eq!(answer.json()["field"], "Idempotency-Key");
    }
    // Another caller's key of the same name is another key.
    let theirs = functions.post("/campaigns/c1/users", users(0..1).to_string());
    let theirs = theirs.token(&token("other", "campaigns:write")).header("idempotency-key", "k1");
    assert_eq!(theirs.send().await.expect(200).json(), json!({"remaining": 5}));

    // A replacement, and a removal, begin anew.
    let replace = async || add_with_key(&functions, "PUT", "k3", users(0..2)).await;
    assert_eq!(replace().await.expect(200).json(), json!({"remaining": 2}));
    assert_eq!(add("k1", 0..3).await, json!({"remaining": 5}));
    assert_eq!(replace().await.expect(200).json(), json!({"remaining": 5}));
    call(&functions, "DELETE", "c1", Value::Null).await.expect(204);
    assert_eq!(add("k1", 0..3).await, json!({"remaining": 3}));
}

#[tokio::test]
async fn connections_that_break_lose_and_double_nothing() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(&redis.address()).await;
    let functions = Functions::with(&redis).redis_at(&proxy.address()).start().await;
    for at in 0..10 {
        proxy.cut();
        proxy.release();
        assert_eq!(add(&functions, at..at + 1).await, at + 1);
    }
    assert_eq!(ids(&next(&functions, 500).await).len(), 10);
}

#[tokio::test]
async fn trouble_with_redis_is_told_in_time() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    add(&functions, 0..2).await;
    let calls = || {
        [
            ("PUT", "c1/users", users(0..1)),
            ("POST", "c1/users", users(0..1)),
            ("POST", "c1/next", Value::Null),
            ("POST", "c1/responses", json!({"responses": [1]})),
            ("GET", "c1/responses", Value::Null),
            ("GET", "c1", Value::Null),
            ("DELETE", "c1", Value::Null),
        ]
    };
    redis.kill();
    for (method, path, body) in calls() {
        let answer = call(&functions, method, path, body).await.within(BOUND);
        let answer = answer.expect_problem(503, "redis_unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
    redis.restart().await;
    assert_eq!(ids(&next(&functions, 1).await), ["u0"]);

    // What is no list stays as it is, whoever asks for what.
    for key in [LIST, "campaign:c1:responses"] {
        let _: () = redis.run_words(&["FLUSHALL"]).await;
        let _: () = redis.run_words(&["SET", key, "text", "EX", "1000"]).await;
        for (method, path, body) in calls() {
            let needs_key = match key {
                LIST => !path.ends_with("responses"),
                _ => !["c1/users", "c1/next"].contains(&path),
            };
            let answer = call(&functions, method, path, body).await;
            if needs_key {
                answer.expect_problem(409, "wrong_type");
            }
        }
        let kept: String = redis.run_words(&["GET", key]).await;
        assert_eq!(kept, "text");
    }
}
