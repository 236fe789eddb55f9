//! Every capability on a cluster whose masters share its keys.

use serde_json::{Value, json};
use support::{Answer, Functions, Origin, RedisCluster, token};

use super::create;

const SCOPES: &str = "notifications:write queues:read queues:write tokens:read tokens:write \
                      presence:read campaigns:write ops:write cache:read cache:write";

struct World {
    cluster: RedisCluster,
    functions: Functions,
}

impl World {
    async fn start() -> Self {
        let cluster = RedisCluster::start().await;
        let functions = Functions::on(&cluster).start().await;
        Self { cluster, functions }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let call = self.functions.call(method, path).token(&token("svc", SCOPES));
        match body {
            Value::Null => call.send().await,
            body => call.body(body.to_string()).send().await,
        }
    }

    async fn json(&self, method: &str, path: &str, body: Value) -> Value {
        self.call(method, path, body).await.expect(200).json()
    }
}

#[tokio::test]
async fn feeds_of_users_on_every_master() {
    let world = World::start().await;
    let functions = &world.functions;
    for user in (0..12).map(|at| format!("u{at}")) {
        for title in ["one", "two", "three"] {
            assert_eq!(create(functions, &user, title).await, "sent");
        }
        let own = token(&user, "");
        let base = format!("/users/{user}/notifications");
        let feed = functions.feed(&user).await.expect(200).json();
        assert_eq!((support::functions::titles(&feed).len(), &feed["unread"]), (3, &json!(3)));
        let id = feed["notifications"][0]["id"].as_str().unwrap();
        let read = functions.post(&format!("{base}/read"), json!({"ids": [id]}).to_string());
        let read = read.token(&own).send().await.expect(200).json();
        assert_eq!(read["unread"], 2, "{read}");
        functions.get(&format!("{base}/{id}")).token(&own).send().await.expect(200);
        let deleted = functions.call("DELETE", &format!("{base}/{id}")).token(&own);
        deleted.send().await.expect(204);
        assert_eq!(functions.titles(&user).await, ["two", "one"]);
    }
    let batch: Vec<Value> =
        (0..12).map(|at| json!({"userId": format!("u{at}"), "title": "b"})).collect();
    let answer = world.call("POST", "/notifications/batch", json!({"notifications": batch})).await;
    assert!(answer.status == 200 || answer.status == 201, "{}", answer.text());
    assert!(!answer.text().contains("pending"), "{}", answer.text());
    for user in (0..12).map(|at| format!("u{at}")) {
        assert_eq!(functions.titles(&user).await, ["b", "two", "one"]);
        world.call("DELETE", &format!("/users/{user}"), Value::Null).await.expect(204);
        assert!(functions.titles(&user).await.is_empty());
    }
}

#[tokio::test]
async fn queues_and_their_index() {
    let world = World::start().await;
    for name in ["work", "mail", "a-third", "fourth:part"] {
        let path = format!("/queues/{name}");
        let sent = json!({"messages": [1, 2, 3]});
        world.call("POST", &format!("{path}/messages"), sent).await.expect(200);
        let received = json!({"max": 2});
        let received = world.json("POST", &format!("{path}/receive"), received).await;
        let messages = received["messages"].as_array().unwrap();
        let receipts: Vec<&Value> = messages.iter().map(|message| &message["receipt"]).collect();
        assert_eq!(receipts.len(), 2, "{received}");
        let acked = json!({"receipts": receipts});
        world.call("POST", &format!("{path}/ack"), acked).await.expect(200);
        assert_eq!(world.json("GET", &path, Value::Null).await["ready"], 1);
    }
    let names = world.json("GET", "/queues", Value::Null).await;
    assert_eq!(names["items"], json!(["a-third", "fourth:part", "mail", "work"]));
}

#[tokio::test]
async fn presence_and_tokens_of_one_user() {
    let world = World::start().await;
    let words = ["SADD", "online_users", "alice"];
    world.cluster.run_words::<i64>("online_users", &words).await;
    assert_eq!(world.json("GET", "/presence", Value::Null).await, json!({"count": 1}));
    let asked = json!({"userIds": ["alice", "bob"]});
    let online = world.json("POST", "/presence", asked).await;
    assert_eq!(online["online"], json!({"alice": true, "bob": false}));
    for user in ["alice", "bob", "carol"] {
        let path = format!("/users/{user}/token");
        world.call("PUT", &path, json!({"token": format!("t-{user}")})).await.expect(204);
        let token = world.json("GET", &path, Value::Null).await;
        assert_eq!(token["token"], format!("t-{user}"));
        let key = format!("user:{user}:token");
        let plain: String = world.cluster.run_words(&key, &["GET", &key]).await;
        assert_eq!(plain, format!("t-{user}"));
        world.call("DELETE", &path, Value::Null).await.expect(204);
    }
}

/// The tokens of several users are in several slots, and on all masters.
#[tokio::test]
async fn tokens_of_many_users_and_campaigns_that_use_them() {
    let world = World::start().await;
    let users: Vec<String> = (0..20).map(|at| format!("u{at}")).collect();
    let tokens: Vec<Value> =
        users.iter().map(|user| json!({"userId": user, "token": format!("t-{user}")})).collect();
    world.call("PUT", "/tokens", json!({ "tokens": tokens })).await.expect(200);
    let read = world.json("POST", "/tokens/read", json!({ "userIds": users })).await;
    for user in &users {
        assert_eq!(read["tokens"][user], format!("t-{user}"), "{read}");
        let key = format!("user:{user}:token");
        let plain: String = world.cluster.run_words(&key, &["GET", &key]).await;
        assert_eq!(plain, format!("t-{user}"));
    }
    for campaign in ["c1", "c2", "c3", "c4"] {
        let path = format!("/campaigns/{campaign}");
        let added: Vec<Value> = users.iter().map(|user| json!({ "userId": user })).collect();
        world.call("PUT", &format!("{path}/users"), json!({ "users": added })).await.expect(200);
        let next = format!("{path}/next?count=20&tokens=true");
        let next = world.json("POST", &next, Value::Null).await;
        let expected: Vec<Value> = users
            .iter()
            .map(|user| json!({"userId": user, "fcmToken": format!("t-{user}")}))
            .collect();
        assert_eq!(next, json!({"users": expected, "remaining": 0}));
        let responses = json!({"responses": [1, 2, 3]});
        let responded = world.json("POST", &format!("{path}/responses"), responses).await;
        assert_eq!(responded, json!({"accepted": 3}));
        let page = world.json("GET", &format!("{path}/responses"), Value::Null).await;
        assert_eq!(page["items"], json!([1, 2, 3]));
        let progress = world.json("GET", &path, Value::Null).await;
        assert_eq!((&progress["total"], &progress["processed"]), (&json!(20), &json!(20)));
        world.call("DELETE", &path, Value::Null).await.expect(204);
        world.call("GET", &path, Value::Null).await.expect_problem(404, "not_found");
    }
}

const RESOURCES: &str = r#"
[[resource]]
path = "plain/{id}"
access = "public"
fresh = "100s"
http = { url = "http://{{ settings_host }}/plain/{id}", honour_cache_control = false }

[[resource]]
path = "tagged/{id}"
access = "public"
fresh = "100s"
tags = ["item:{id}", "all"]
http = { url = "http://{{ settings_host }}/tagged/{id}", honour_cache_control = false }
"#;

/// Values on all masters in one answer.
#[tokio::test]
async fn a_page_is_read_from_every_master() {
    let (cluster, origin) = (RedisCluster::start().await, Origin::start().await);
    let setup = Functions::on(&cluster).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    let ids: Vec<String> = (0..12).map(|id| format!("tagged/{id}")).collect();
    let page = async |word: &str| {
        let call = functions.post("/cache/read", json!({"paths": ids}).to_string());
        let found = call.send().await.expect(200).json();
        for (id, result) in ids.iter().zip(found["results"].as_array().unwrap()) {
            assert_eq!(result["path"], *id);
            let cache_status = result["cacheStatus"].as_str().unwrap();
            assert!(cache_status.contains(word), "{word}: {result}");
        }
    };
    page("; stored").await;
    page("; hit").await;
    let scripts = async || {
        let mut calls = 0;
        for master in cluster.masters().await {
            calls += master.calls("eval").await + master.calls("evalsha").await;
        }
        calls
    };
    let before = scripts().await;
    for _ in 0..10 {
        page("; hit").await;
    }
    let masters = cluster.masters().await.len() as u64;
    // And what is counted.
    let calls = scripts().await - before;
    assert!((10 * masters..=11 * masters + 6).contains(&calls), "{calls}");
    let body = json!({"tags": ["all"], "mode": "hard"}).to_string();
    let call = functions.post("/cache/invalidate", body).token(&token("svc", SCOPES));
    call.send().await.expect(200);
    page("; stored").await;
    assert_eq!(origin.count(), 24);
}

/// A value and its tags are in several slots.
#[tokio::test]
async fn cached_values_are_fetched_once_and_invalidated_by_tags() {
    let (cluster, origin) = (RedisCluster::start().await, Origin::start().await);
    let setup = Functions::on(&cluster).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    let read_all = async || {
        for path in ["plain", "tagged"] {
            for id in 0..8 {
                let answer = functions.get(&format!("/cache/{path}/{id}")).send().await;
                answer.expect(200);
            }
        }
        origin.count()
    };
    assert_eq!(read_all().await, 16);
    // Twice: by the script, then among the values that were fresh a moment ago.
    for _ in 0..3 {
        assert_eq!(read_all().await, 16, "fetched again");
    }
    let invalidate = async |body: Value| {
        let call = functions.post("/cache/invalidate", body.to_string());
        call.token(&token("svc", SCOPES)).send().await.expect(200)
    };
    invalidate(json!({"tags": ["item:1", "item:2"], "mode": "hard"})).await;
    assert_eq!(read_all().await, 18);
    invalidate(json!({"tags": ["all", "item:5"], "mode": "hard"})).await;
    assert_eq!(read_all().await, 26);
}
