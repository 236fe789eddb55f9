//! `POST /cache/read`: what the single reads would answer, together.

mod sources;

use serde_json::{Value, json};
use support::{Answer, Functions, Origin, Plan, RedisServer, eventually, token};

use super::{RESOURCES, World};

/// Asks for a page without a token.
async fn ask(functions: &Functions, paths: Value) -> Answer {
    functions.post("/cache/read", json!({ "paths": paths }).to_string()).send().await
}

fn results(answer: Answer) -> Vec<Value> {
    let answer = answer.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()["results"].as_array().unwrap().clone()
}

impl World {
    async fn page(&self, paths: &[&str]) -> Vec<Value> {
        results(ask(&self.functions, json!(paths)).await)
    }
}

fn status(result: &Value) -> u64 {
    result["status"].as_u64().unwrap()
}

fn code(result: &Value) -> &str {
    result["error"]["code"].as_str().unwrap_or_else(|| panic!("{result}"))
}

#[track_caller]
fn is_hit(result: &Value) {
    let cache_status = result["cacheStatus"].as_str().unwrap_or_else(|| panic!("{result}"));
    assert!(cache_status.starts_with("bellwire; hit; ttl="), "{result}");
}

#[tokio::test]
async fn each_result_is_what_the_read_alone_answers_in_their_order() {
    let world = World::start().await;
    // Bytes that a serialiser would write in another way.
    let plain = "{ \"a\" : [1.50, 1e3],\n\"ü\":\"\\u00fc\", \"z\":12345678901234567890123 }";
    world.origin.plan_for("/fresh", Plan::json(plain));
    world.origin.plan_for("/items/7?of=7", Plan::json("[7]"));
    world.origin.plan_for("/items/gone?of=gone", Plan::status(404));
    world.origin.plan_for("/items/broken?of=broken", Plan::status(500));
    for path in ["fresh", "item/7", "item/gone", "item/broken"] {
        world.get(path).await;
    }
    let paths = [
        "item/7",
        "nothing",
        "fresh",
        "item/gone",
        "item/broken",
        "fresh/",
        "/fresh",
        "",
        "fresh?x=1",
        "item/a%2Fb",
        "item/a:b",
        "item/7",
        "item/%37",
        "it em",
        "../fresh",
        "internal",
        "mine/alice",
        "item/7/8",
        "fresh?",
    ];
    let answer = ask(&world.functions, json!(paths)).await.expect(200);
    assert!(answer.text().contains(&format!("\"value\":{plain},")), "{}", answer.text());
    let found = results(answer);
    assert_eq!(found.len(), paths.len());
    for (path, result) in paths.iter().zip(&found) {
        assert_eq!(result["path"], *path);
        if path.starts_with("..") {
            // A client may send another path then.
            assert_eq!((status(result), code(result)), (400, "invalid_path"));
            continue;
        }
        let target = format!("/cache/{}", path.replace(' ', "%20"));
        let alone = world.functions.get(&target).send().await;
        assert_eq!(status(result), u64::from(alone.status), "{path}: {result}");
        if alone.status == 200 {
            assert_eq!(result["value"], alone.json());
            assert_eq!(result["etag"], alone.header("etag"));
            let age: i64 = alone.header("age").parse().unwrap();
            assert!((0..=1).contains(&(age - result["age"].as_i64().unwrap())), "{result}, {age}");
            is_hit(result);
            let members: Vec<&String> = result.as_object().unwrap().keys().collect();
            assert_eq!(members.len(), 6, "{members:?}");
        } else {
            let problem = alone.json();
            assert_eq!(code(result), problem["code"], "{path}");
            assert_eq!(result["error"]["detail"], problem["detail"], "{path}");
            assert_eq!(result["error"]["field"], problem["field"], "{path}");
            assert_eq!(result.as_object().unwrap().len(), 3, "{result}");
        }
    }
    for target in ["/fresh", "/items/7?of=7", "/items/gone?of=gone"] {
        assert_eq!(world.origin.count_of(target), 1, "{target}");
    }
}

#[tokio::test]
async fn each_path_has_its_own_access_rule_also_when_it_is_cached() {
    let world = World::start().await;
    let paths = json!(["fresh", "mine/alice", "mine/bob", "internal"]);
    let call = async |token: Option<&str>| {
        let call = world.functions.post("/cache/read", json!({ "paths": paths }).to_string());
        let call = match token {
            Some(token) => call.token(token),
            None => call,
        };
        results(call.send().await).iter().map(status).collect::<Vec<u64>>()
    };
    let service = token("svc", "cache:read");
    assert_eq!(call(Some(&service)).await, [200; 4]);
    assert_eq!(world.origin.count(), 4);
    let (alice, bob) = (token("alice", ""), token("bob", "feed:read"));
    assert_eq!(call(None).await, [200, 401, 401, 401]);
    assert_eq!(call(Some(&alice)).await, [200, 200, 403, 403]);
    assert_eq!(call(Some(&bob)).await, [200, 403, 200, 403]);
    // A token that is none does not matter to what everyone may read, as in the read alone.
    assert_eq!(call(Some("nonsense")).await, [200, 401, 401, 401]);
    let refused = world.page(&["mine/alice"]).await;
    assert_eq!(code(&refused[0]), "unauthorized");
    assert_eq!(world.origin.count(), 4);
}

#[tokio::test]
async fn wrong_requests_are_named() {
    let world = World::start().await;
    let most = vec!["fresh"; 50];
    let found = world.page(&most).await;
    assert_eq!((found.len(), world.origin.count()), (50, 1));
    assert!(world.page(&[]).await.is_empty());
    for (body, code, field) in [
        (json!({"paths": vec!["fresh"; 51]}), "limit_exceeded", "paths"),
        (json!({}), "missing_field", "paths"),
        (json!({"paths": null}), "missing_field", "paths"),
        (json!({"paths": "fresh"}), "invalid_field", "paths"),
        (json!({"paths": {"a": 1}}), "invalid_field", "paths"),
        (json!({"paths": ["fresh", 7]}), "invalid_field", "paths[1]"),
        (json!({"paths": [null]}), "invalid_field", "paths[0]"),
        (json!({"paths": [["fresh"]]}), "invalid_field", "paths[0]"),
        (json!({"paths": ["fresh"], "more": 1}), "unknown_field", "more"),
    ] {
        let answer = world.functions.post("/cache/read", body.to_string()).send().await;
        let answer = answer.expect_problem(400, code);
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    for body in ["", "[]", "{", "\"fresh\""] {
        let answer = world.functions.post("/cache/read", body.to_owned()).send().await;
        answer.expect_problem(400, "bad_json");
    }
    let query = world.functions.post("/cache/read?x=1", r#"{"paths":[]}"#).send().await;
    query.expect_problem(400, "unknown_field");
    for method in ["GET", "PUT", "DELETE"] {
        let answer = world.functions.call(method, "/cache/read").send().await;
        assert_eq!(answer.expect_problem(405, "method_not_allowed").header("allow"), "POST");
    }
    let odd = world.page(&["fresh\u{0}", "item/\u{1F600}", "a\"b\\"]).await;
    assert_eq!(
        odd.iter().map(code).collect::<Vec<_>>(),
        ["invalid_path", "invalid_id", "not_found"]
    );
    assert_eq!(odd[2]["path"], "a\"b\\");
    assert_eq!(world.origin.count(), 1);
}

#[tokio::test]
async fn fresh_values_are_one_command_together() {
    let world = World::start().await;
    let ids: Vec<String> = (0..20).map(|id| format!("item/{id}")).collect();
    let paths: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.page(&paths).await;
    world.page(&paths).await;
    world.redis.run::<()>("CONFIG RESETSTAT").await;
    for _ in 0..10 {
        world.page(&paths).await.iter().for_each(is_hit);
    }
    // An instance that has not seen them all asks for the time, too.
    assert_eq!(world.redis.calls("mget").await, 10);
    assert!(world.redis.calls("time").await <= 10);
    // What is counted, and a value that is refreshed early by chance.
    assert!(world.redis.calls("evalsha").await <= 6, "{}", world.redis.calls("evalsha").await);
}

#[tokio::test]
async fn the_reads_of_a_page_are_counted_each_for_its_resource() {
    let world = World::start().await;
    let count = async |resource: &str, name: &str| {
        let call = world.functions.get("/cache").token(&token("a console", "ops:read"));
        let all = call.send().await.expect(200).json();
        let mut items = all["items"].as_array().unwrap().iter();
        items.find(|item| item["resource"] == resource).unwrap()[name].as_i64().unwrap()
    };
    world.page(&["item/1", "item/2", "fresh", "item/1", "nothing", "mine/alice"]).await;
    eventually("the misses are counted", async || {
        let misses = (count("item/{id}", "misses").await, count("fresh", "misses").await);
        (misses == (2, 1)).then_some(())
    })
    .await;
    assert_eq!(count("mine/{userId}", "misses").await, 0);
    for _ in 0..400 {
        world.page(&["item/1", "item/2", "fresh"]).await;
    }
    eventually("the hits are counted", async || {
        let hits = (count("item/{id}", "hits").await, count("fresh", "hits").await);
        // Off by eight pages for each of some instances at the very most.
        ((700..=900).contains(&hits.0) && hits.0 == 2 * hits.1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn values_that_do_not_fit_into_the_answer_are_errors_of_their_own() {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    let resources = format!(
        "{RESOURCES}\n[[resource]]\npath = \"big/{{id}}\"\naccess = \"public\"\nfresh = \"100s\"\n\
         bytes_max = 8388608\nhttp = {{ url = \"http://{{{{ settings_host }}}}/big/{{id}}\" }}\n"
    );
    let setup = Functions::with(&redis).resources(&resources);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    let three = format!("\"{}\"", "x".repeat(3 * 1024 * 1024));
    let whole = format!("\"{}\"", "x".repeat(8 * 1024 * 1024 - 2));
    for id in ["1", "2", "3"] {
        origin.plan_for(&format!("/big/{id}"), Plan::json(&three));
    }
    origin.plan_for("/big/whole", Plan::json(&whole));
    let statuses = async |paths: Value| {
        let found = results(ask(&functions, paths).await);
        for result in found.iter().filter(|result| status(result) != 200) {
            assert_eq!((code(result), status(result)), ("payload_too_large", 413));
        }
        found.iter().map(status).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        // From their source, then from Redis.
        let found = statuses(json!(["big/1", "big/2", "fresh", "big/3"])).await;
        assert_eq!(found.iter().filter(|status| **status == 200).count(), 3, "{found:?}");
        assert_eq!(found[2], 200);
    }
    assert_eq!(statuses(json!(["big/1", "big/1", "big/1"])).await, [200, 200, 413]);
    for _ in 0..2 {
        assert_eq!(statuses(json!(["big/whole"])).await, [200]);
    }
    assert_eq!(statuses(json!(["big/whole", "fresh"])).await, [200, 413]);
    functions.get("/cache/fresh").send().await.expect(200);
}
