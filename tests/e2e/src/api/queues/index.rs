//! `GET /queues`: which queues are listed, in pages, and what keeping the list costs.

use std::time::Duration;

use serde_json::{Value, json};
use shared::keys::{QUEUES, QUEUES_TOUCHED};
use shared::limits::QUEUE_TTL_S;
use shared::script;
use support::{Functions, RedisServer, eventually, token};

use super::{Queue, receipts};

async fn page(functions: &Functions, query: &str) -> (Vec<String>, Option<String>) {
    let target = format!("/queues{query}");
    let answer = functions.get(&target).token(&token("a console", "queues:read")).send().await;
    let page = answer.expect(200).json();
    let items = page["items"].as_array().unwrap().iter();
    let items = items.map(|name| name.as_str().unwrap().to_owned()).collect();
    (items, page["next"].as_str().map(str::to_owned))
}

async fn listed(functions: &Functions) -> Vec<String> {
    let (items, next) = page(functions, "?limit=100").await;
    assert_eq!(next, None);
    items
}

async fn send(functions: &Functions, name: &str) {
    Queue { functions, name }.send(&[json!(1)]).await;
}

#[tokio::test]
async fn queues_in_use_are_listed_by_name() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    assert!(listed(&functions).await.is_empty());
    let longest = "x".repeat(128);
    // In the order of bytes.
    let names = ["...", "+1", "A", "a", "a:1", "a:1:2", "notification:responses", &longest, "~z"];
    for name in names.iter().rev() {
        send(&functions, name).await;
    }
    let mut expected: Vec<&str> = names.to_vec();
    expected.sort_unstable();
    assert_eq!(listed(&functions).await, expected);
    for key in [QUEUES, QUEUES_TOUCHED] {
        let ttl: u64 = redis.run_words(&["TTL", key]).await;
        assert!(ttl > QUEUE_TTL_S - 60 && ttl <= QUEUE_TTL_S, "{key}: {ttl}");
    }
}

#[tokio::test]
async fn an_empty_queue_is_listed_while_something_is_left_of_it() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    // Nobody has sent anything: a worker that waits is no queue.
    assert!(queue.receive(&json!({})).await.is_empty());
    assert!(listed(&functions).await.is_empty());
    queue.send(&[json!(1)]).await;
    assert_eq!(listed(&functions).await, ["work"]);
    let messages = queue.receive(&json!({})).await;
    assert_eq!(listed(&functions).await, ["work"], "in flight");
    queue.post("ack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    assert_eq!(listed(&functions).await, ["work"], "empty, and in use");
    for key in shared::keys::queue("work") {
        redis.command(&["DEL", &key]).await;
    }
    assert!(listed(&functions).await.is_empty(), "deleted");
    // It comes back although this instance has told of it already.
    queue.send(&[json!(1)]).await;
    assert_eq!(listed(&functions).await, ["work"]);
    // Delayed or dead messages are a queue, too.
    let delayed = json!({"messages": [1], "delaySeconds": 600});
    Queue { functions: &functions, name: "later" }.post("messages", &delayed).await.expect(200);
    assert_eq!(listed(&functions).await, ["later", "work"]);
}

#[tokio::test]
async fn a_list_of_another_service_is_listed_once_it_is_used_here() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    redis.command(&["RPUSH", "theirs", "1"]).await;
    redis.command(&["EXPIRE", "theirs", "600"]).await;
    redis.command(&["SADD", "members", "1"]).await;
    redis.command(&["EXPIRE", "members", "600"]).await;
    assert!(listed(&functions).await.is_empty());
    let queue = |name| Queue { functions: &functions, name };
    // A name that nothing has is not remembered, nor is a key that is no queue.
    queue("mistyped").get("").await.expect(200);
    queue("mistyped").get("/dead").await.expect(200);
    queue("members").get("").await.expect_problem(409, "wrong_type");
    assert_eq!(redis.run::<i64>(&format!("EXISTS {QUEUES}")).await, 0);
    queue("members").post("messages", &json!({"messages": [1]})).await;
    assert!(listed(&functions).await.is_empty());
    assert_eq!(queue("theirs").stats().await["ready"], 1);
    assert_eq!(listed(&functions).await, ["theirs"]);
}

#[tokio::test]
async fn pages_hold_every_name_once_while_others_are_added() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let names: Vec<String> = (10..35).map(|at| format!("q{at}")).collect();
    for name in &names {
        send(&functions, name).await;
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (items, next) = page(&functions, &format!("?limit=10{cursor}")).await;
        assert!(items.len() <= 10, "{items:?}");
        seen.extend(items);
        pages += 1;
        // Before and behind where the reader is, and one that it has seen.
        for name in [format!("a{pages}"), format!("z{pages}"), "q10".to_owned()] {
            send(&functions, &name).await;
        }
        let Some(next) = next else { break };
        cursor = format!("&cursor={next}");
    }
    let ours: Vec<&String> = seen.iter().filter(|name| name.starts_with('q')).collect();
    assert_eq!(ours, names.iter().collect::<Vec<_>>());
    assert!(pages >= 3 && seen.is_sorted(), "{seen:?}");
    // What nothing is left of makes a page shorter, not the last one.
    for name in &names[..12] {
        redis.command(&["DEL", name]).await;
    }
    let (items, next) = page(&functions, "?limit=5&cursor=q10").await;
    assert_eq!((items.len(), next.as_deref()), (0, Some("q15")));
    for (query, field) in
        [("?limit=0", "limit"), ("?limit=101", "limit"), ("?cursor=a%20b", "cursor")]
    {
        let call = functions.get(&format!("/queues{query}"));
        let answer = call.token(&token("a console", "queues:read")).send().await;
        assert_eq!(answer.expect_problem(400, "invalid_field").json()["field"], field);
    }
}

#[tokio::test]
async fn names_are_dropped_two_weeks_after_the_last_use() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for name in ["old", "work"] {
        send(&functions, name).await;
    }
    let now: Vec<u64> = redis.run("TIME").await;
    let at = |age: u64| (now[0] - age).to_string();
    redis.command(&["ZADD", QUEUES_TOUCHED, "XX", &at(QUEUE_TTL_S - 60), "old"]).await;
    assert_eq!(listed(&functions).await, ["old", "work"]);
    redis.command(&["ZADD", QUEUES_TOUCHED, "XX", &at(QUEUE_TTL_S + 1), "old"]).await;
    assert_eq!(listed(&functions).await, ["work"]);
    send(&functions, "new").await;
    let names: Vec<String> = redis.run_words(&["ZRANGE", QUEUES, "0", "-1"]).await;
    assert_eq!(names, ["new", "work"]);
    // A name that has lost its time is dropped, too; what is no name is not shown.
    redis.command(&["ZREM", QUEUES_TOUCHED, "work"]).await;
    redis.command(&["ZADD", QUEUES, "0", "{a} b"]).await;
    redis.command(&["ZADD", QUEUES_TOUCHED, &at(0), "{a} b"]).await;
    assert_eq!(listed(&functions).await, ["new"]);
    assert_eq!(redis.run::<i64>(&format!("ZCARD {QUEUES}")).await, 2);
}

#[tokio::test]
async fn the_names_used_longest_ago_give_way_to_more() {
    let redis = RedisServer::start().await;
    let touch = async |name: &str, max: &str| -> u64 {
        let source = script::QUEUES_TOUCH.source;
        let words = ["EVAL", source, "2", QUEUES, QUEUES_TOUCHED, name, "1000", max];
        redis.run_words(&words).await
    };
    let now: Vec<u64> = redis.run("TIME").await;
    for at in 0..500 {
        touch(&format!("q{at}"), "1000").await;
        let time = (now[0] - 500 + at).to_string();
        redis.command(&["ZADD", QUEUES_TOUCHED, "XX", &time, &format!("q{at}")]).await;
    }
    // A bounded number at a time.
    assert_eq!(touch("new", "200").await, 401);
    let left = [touch("new", "200").await, touch("new", "200").await, touch("new", "200").await];
    assert_eq!(left, [301, 201, 200]);
    let names: Vec<String> = redis.run_words(&["ZRANGE", QUEUES_TOUCHED, "0", "-1"]).await;
    assert_eq!((names.len(), names[0].as_str(), names[199].as_str()), (200, "q301", "new"));
    // Redis lost the times: new names are kept, and those without a time give way.
    redis.command(&["DEL", QUEUES_TOUCHED]).await;
    touch("newer", "200").await;
    let names: Vec<String> = redis.run_words(&["ZRANGE", QUEUES, "0", "-1"]).await;
    assert!(names.contains(&"newer".to_owned()) && names.len() <= 200, "{names:?}");
    // Redis lost the names: the times are bounded by themselves.
    redis.command(&["DEL", QUEUES]).await;
    for at in 0..10 {
        touch(&format!("q{at}"), "5").await;
    }
    let times: u64 = redis.run_words(&["ZCARD", QUEUES_TOUCHED]).await;
    assert!(times <= 5, "{times}");
}

#[tokio::test]
async fn the_times_expire_even_if_redis_refuses_the_names() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    redis.command(&["SET", QUEUES, "another service's", "EX", "600"]).await;
    send(&functions, "work").await;
    let ttl: i64 = redis.run_words(&["TTL", QUEUES_TOUCHED]).await;
    assert!(ttl > 0, "{ttl}");
}

#[tokio::test]
async fn an_instance_tells_of_a_queue_once_and_works_without_being_heard() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let adds = async || redis.calls("zadd").await;
    for _ in 0..100 {
        queue.send(&[json!(1)]).await;
    }
    // Two in each script: one instance takes 128 requests.
    assert!((2..=8).contains(&adds().await), "{} ZADD", adds().await);
    assert_eq!(listed(&functions).await, ["work"]);

    redis.run::<()>("ACL SETUSER default resetkeys ~other* ~bw:*:{other}*").await;
    let other = Queue { functions: &functions, name: "other" };
    other.send(&[json!(1), json!(2)]).await;
    let messages = other.receive(&json!({})).await;
    other.post("ack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    redis.run::<()>("ACL SETUSER default allkeys").await;
    // It is logged after the answer.
    eventually("the log tells of it", async || {
        functions.output().contains("queue_not_indexed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_list_renews_no_queues_life() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    send(&functions, "work").await;
    redis.command(&["EXPIRE", "work", "600"]).await;
    assert_eq!(listed(&functions).await, ["work"]);
    assert!(redis.run::<i64>("TTL work").await <= 600);
    redis.kill();
    let call = functions.get("/queues").token(&token("a console", "queues:read"));
    let answer = tokio::time::timeout(Duration::from_secs(10), call.send()).await.unwrap();
    answer.expect_problem(503, "redis_unavailable");
}

#[tokio::test]
async fn readers_read_and_do_nothing_else() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    send(&functions, "work").await;
    let call = async |method: &str, target: &str, scope: &str| {
        let call = functions.call(method, target).token(&token("somebody", scope));
        call.body("{\"messages\":[1],\"receipts\":[\"a:1\"]}").send().await.status
    };
    let reads = ["/queues", "/queues/work", "/queues/work/dead"];
    for target in reads {
        for (scope, status) in [
            ("queues:read", 200),
            ("queues:write", 200),
            ("campaigns:read queues:readx xqueues:read", 403),
            ("campaigns:write", 403),
            ("", 403),
        ] {
            assert_eq!(call("GET", target, scope).await, status, "{target} {scope}");
        }
    }
    for what in ["messages", "receive", "ack", "nack", "extend", "redrive"] {
        let target = format!("/queues/work/{what}");
        assert_eq!(call("POST", &target, "queues:read").await, 403, "{target}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = functions.call(method, "/queues").send().await;
        let answer = answer.expect_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
    let call = functions.get("/queues").token(&token("somebody", "ops:read"));
    let problem: Value = call.send().await.expect_problem(403, "forbidden").json();
    assert_eq!(problem["detail"], "the scope queues:read is required");
}
