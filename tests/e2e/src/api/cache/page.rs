//! `POST /cache/read`: what the single reads would answer, together.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Answer, Functions, Origin, Plan, RedisServer, eventually, token};

use super::{RESOURCES, World, setup};

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
async fn slow_and_failing_sources_delay_the_others_by_their_own_timeouts_only() {
    let world = World::start().await;
    let cold: Vec<String> = (0..30).map(|at| format!("item/cold{at}")).collect();
    for at in 0..30 {
        // Their timeout is a second.
        let plan = Plan::after(Duration::from_millis(if at % 2 == 0 { 400 } else { 0 }));
        world.origin.plan_for(&format!("/items/cold{at}?of=cold{at}"), plan);
    }
    world.origin.plan_for("/items/slow?of=slow", Plan { hangs: true, ..Plan::default() });
    world.origin.plan_for("/items/broken?of=broken", Plan::status(500));
    world.get("fresh").await.expect(200);
    let mut paths = vec!["item/slow", "fresh", "item/broken", "item/1"];
    paths.extend(cold.iter().map(String::as_str));
    let begun = Instant::now();
    let found = world.page(&paths).await;
    // One after the other they would take ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!((code(&found[0]), status(&found[0])), ("origin_timeout", 504));
    is_hit(&found[1]);
    assert_eq!((code(&found[2]), status(&found[2])), ("origin_failed", 502));
    for result in &found[3..] {
        assert_eq!(
            result["cacheStatus"].as_str().unwrap().split("; ttl").next(),
            Some("bellwire; fwd=miss; stored"),
            "{result}"
        );
    }
    assert_eq!(world.origin.count(), 1 + paths.len() - 1);
    // In the cool-down no source is asked again, and the others are hits.
    let again = world.page(&paths).await;
    assert_eq!(again[3..].iter().map(status).collect::<Vec<_>>(), vec![200; 31]);
    again[3..].iter().for_each(is_hit);
}

#[tokio::test]
async fn pages_and_single_reads_at_once_fetch_each_value_once() {
    let world = World::start().await;
    let second = setup(&world.redis, &world.origin).start().await;
    world.origin.plan(Plan::after(Duration::from_millis(400)));
    let ids: Vec<String> = (0..12).map(|id| format!("item/{id}")).collect();
    let pages = (0..20).map(|at| {
        let host = if at % 2 == 0 { &world.functions } else { &second };
        ask(host, json!(ids))
    });
    let singles = (0..48).map(|at| {
        let host = if at % 2 == 0 { &world.functions } else { &second };
        host.get(&format!("/cache/{}", ids[at % ids.len()])).send()
    });
    let (pages, singles) = futures_util::future::join(
        futures_util::future::join_all(pages),
        futures_util::future::join_all(singles),
    )
    .await;
    assert_eq!(world.origin.count(), ids.len());
    let mut words = Vec::new();
    let mut values = vec![Vec::new(); ids.len()];
    for page in pages {
        for (at, result) in results(page).into_iter().enumerate() {
            words.push(result["cacheStatus"].as_str().unwrap().to_owned());
            values[at].push(result["value"].clone());
        }
    }
    for (at, single) in singles.into_iter().enumerate() {
        let single = single.expect(200);
        words.push(single.header("cache-status").to_owned());
        values[at % ids.len()].push(single.json());
    }
    for same in &mut values {
        same.dedup();
        assert_eq!(same.len(), 1, "{same:?}");
    }
    assert_eq!(words.iter().filter(|word| word.contains("; stored")).count(), ids.len());
    assert!(words.iter().any(|word| word.contains("; collapsed")), "{words:?}");
}

#[tokio::test]
async fn a_stale_value_is_served_at_once_and_refreshed_once() {
    let world = World::start().await;
    world.page(&["stale", "fresh"]).await;
    world.origin.plan(Plan::after(Duration::from_secs(4)));
    let begun = Instant::now();
    let pages = (0..20).map(|_| world.page(&["stale", "fresh", "stale"]));
    for found in futures_util::future::join_all(pages).await {
        for at in [0, 2] {
            let cache_status = found[at]["cacheStatus"].as_str().unwrap();
            assert!(cache_status.starts_with("bellwire; hit; ttl=-"), "{cache_status}");
        }
        is_hit(&found[1]);
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "somebody waited: {:?}", begun.elapsed());
    world.refreshed("stale", 3).await;
}

#[tokio::test]
async fn invalidations_and_other_services_writes_are_seen_at_once() {
    let world = World::start().await;
    let paths = ["item/1", "item/2", "fresh"];
    let values = async || {
        let found = world.page(&paths).await;
        found.iter().map(|result| result["value"]["n"].as_i64()).collect::<Vec<_>>()
    };
    let cache_write = token("svc", "cache:write");
    let invalidate = async |body: Value| {
        let call = world.functions.post("/cache/invalidate", body.to_string());
        call.token(&cache_write).send().await.expect(200);
    };
    let mut first = values().await;
    first.sort_unstable();
    assert_eq!(first, [Some(1), Some(2), Some(3)]);
    for _ in 0..3 {
        assert_eq!(world.page(&paths).await.iter().map(status).collect::<Vec<_>>(), [200; 3]);
    }
    assert_eq!(world.origin.count(), 3);
    invalidate(json!({"tags": ["item:2"]})).await;
    assert_eq!(values().await[1], Some(4));
    let delete = world.functions.call("DELETE", "/cache/fresh").token(&cache_write);
    delete.send().await.expect(204);
    assert_eq!(values().await[2], Some(5));
    invalidate(json!({"tags": ["item:1"], "mode": "soft"})).await;
    let stale = world.page(&paths).await;
    assert!(stale[0]["cacheStatus"].as_str().unwrap().contains("ttl=-"), "{stale:?}");
    is_hit(&stale[1]);
    world.refreshed("item:1", 6).await;
    assert_eq!(values().await[0], Some(6));
    invalidate(json!({"tags": ["all"]})).await;
    values().await;
    assert_eq!(world.origin.count(), 9);

    for _ in 0..2 {
        world.page(&paths).await.iter().for_each(is_hit);
    }
    let _: String = world.redis.run(r#"SET item:1 {"theirs":[]} EX 50"#).await;
    let _: String = world.redis.run(r#"SET item:2 {"theirs":1} KEEPTTL"#).await;
    let _: String = world.redis.run("SET fresh garbage EX 50").await;
    let found = world.page(&paths).await;
    assert_eq!(
        (&found[0]["value"], &found[1]["value"]),
        (&json!({"theirs": []}), &json!({"theirs": 1}))
    );
    assert_eq!(found[2]["value"], json!({"n": 10}), "what is no JSON is never part of an answer");
    let _: i64 = world.redis.run("DEL item:1").await;
    let _: i64 = world.redis.run("RPUSH item:1 x").await;
    let _: i64 = world.redis.run("EXPIRE item:1 50").await;
    let found = world.page(&paths).await;
    assert_eq!((code(&found[0]), status(&found[0])), ("wrong_type", 409));
    assert_eq!((status(&found[1]), status(&found[2])), (200, 200));
}

#[tokio::test]
async fn without_redis_the_sources_answer() {
    let world = World::start().await;
    let paths = ["fresh", "item/1", "stale"];
    world.page(&paths).await;
    world.redis.kill();
    let answer = ask(&world.functions, json!(paths)).await.within(Duration::from_secs(4));
    for result in results(answer) {
        let cache_status = result["cacheStatus"].as_str().unwrap();
        assert!(cache_status.starts_with("bellwire; fwd=bypass"), "{cache_status}");
    }
    assert_eq!(world.origin.count(), 6);
    world.redis.restart().await;
    for result in world.page(&paths).await {
        assert!(result["cacheStatus"].as_str().unwrap().contains("stored"), "{result}");
    }
    world.redis.pause();
    let answer = ask(&world.functions, json!(paths)).await.within(Duration::from_secs(4));
    assert_eq!(results(answer).iter().map(status).collect::<Vec<_>>(), [200; 3]);
    world.redis.resume();
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
