//! Invalidation by key and tag, and races with a refresh.

use std::time::Duration;

use serde_json::json;
use support::{Answer, Plan, eventually, token};

use super::{World, nth};

impl World {
    async fn delete(&self, path: &str) -> Answer {
        let token = token("svc", "cache:write");
        self.functions.call("DELETE", &format!("/cache/{path}")).token(&token).send().await
    }

    async fn invalidate(&self, body: serde_json::Value) -> Answer {
        let token = token("svc", "cache:write");
        self.functions.post("/cache/invalidate", body.to_string()).token(&token).send().await
    }
}

#[tokio::test]
async fn a_delete_removes_and_a_soft_one_marks_stale() {
    let world = World::start().await;
    world.get("item/7").await.expect(200);
    world.delete("item/7").await.expect(204);
    assert_eq!(world.get("item/7").await.expect(200).text(), nth(2));
    world.delete("item/7?mode=soft").await.expect(204);
    let stale = world.get("item/7").await.expect(200);
    assert_eq!(stale.text(), nth(2));
    assert!(stale.header("cache-status").starts_with("bellwire; hit; ttl=-"), "{stale:?}");
    world.refreshed("item:7", 3).await;
    assert_eq!(world.get("item/7").await.expect(200).text(), nth(3));
    world.delete("item/unknown").await.expect(204);
    world.delete("item/7?mode=x").await.expect_problem(400, "invalid_field");
    world.delete("item/7?x=y").await.expect_problem(400, "unknown_field");
}

#[tokio::test]
async fn a_tag_invalidates_everything_that_has_it() {
    let world = World::start().await;
    for path in ["item/1", "item/2", "fresh"] {
        world.get(path).await.expect(200);
    }
    let answer = world.invalidate(json!({"tags": ["item:1", "item:1"]})).await.expect(200);
    assert_eq!(answer.json(), json!({"invalidated": 1}));
    assert_eq!(world.get("item/1").await.text(), nth(4));
    assert_eq!(world.get("item/2").await.text(), nth(2));
    world.invalidate(json!({"tags": ["all", "nobody:has:this"], "mode": "hard"})).await.expect(200);
    assert_eq!(world.get("item/2").await.text(), nth(5));
    assert_eq!(world.get("fresh").await.text(), nth(6));
    world.invalidate(json!({"tags": ["item:2"], "mode": "soft"})).await.expect(200);
    assert_eq!(world.get("item/2").await.text(), nth(5));
    world.refreshed("item:2", 7).await;
    assert_eq!(world.get("item/2").await.text(), nth(7));
    let none = world.invalidate(json!({"tags": []})).await.expect(200);
    assert_eq!(none.json(), json!({"invalidated": 0}));
}

#[tokio::test]
async fn a_tag_may_be_as_long_as_its_parameters_make_it() {
    let world = World::start().await;
    let id = "x".repeat(shared::limits::ID_BYTES_MAX);
    let path = format!("item/{id}");
    world.get(&path).await.expect(200);
    for (n, tag) in [(2, format!("item:{id}")), (3, format!("of-{id}:{id}-{id}"))] {
        world.invalidate(json!({"tags": [tag]})).await.expect(200);
        assert_eq!(world.get(&path).await.expect(200).text(), nth(n));
    }
    let longer = "x".repeat(shared::limits::CACHE_TAG_BYTES_MAX + 1);
    world.invalidate(json!({"tags": [longer]})).await.expect_problem(400, "invalid_field");
}

#[tokio::test]
async fn wrong_requests_are_named() {
    let world = World::start().await;
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"tags": "all"}), "invalid_field"),
        (json!({"tags": [1]}), "invalid_field"),
        (json!({"tags": [""]}), "invalid_field"),
        (json!({"tags": ["{all}"]}), "invalid_field"),
        (json!({"tags": ["all"], "mode": "medium"}), "invalid_field"),
        (json!({"tags": ["all"], "keys": []}), "unknown_field"),
        (json!({"tags": vec!["all"; 501]}), "limit_exceeded"),
        (json!([]), "bad_json"),
    ] {
        world.invalidate(body.clone()).await.expect_problem(400, code);
    }
}

#[tokio::test]
async fn an_invalidation_and_another_services_write_beat_the_refresh_they_race() {
    let world = World::start().await;
    for meanwhile in ["key", "foreign", "tag"] {
        world.origin.plan(Plan::default());
        world.delete("stale").await.expect(204);
        let old = world.get("stale").await.expect(200);
        let fetches = world.origin.count();
        world.origin.plan(Plan::after(Duration::from_millis(700)));
        assert_eq!(world.get("stale").await.text(), old.text());
        eventually("it refreshes", async || (world.origin.count() == fetches + 1).then_some(()))
            .await;
        match meanwhile {
            "key" => world.delete("stale").await.expect(204).status,
            "tag" => world.invalidate(json!({"tags": ["all"]})).await.expect(200).status,
            _ => {
                let _: String = world.redis.run(r#"SET stale {"theirs":1} EX 50"#).await;
                200
            }
        };
        // Until the late write must have come.
        tokio::time::sleep(Duration::from_millis(1000)).await;
        let value: Option<String> = world.redis.run("GET stale").await;
        let late = nth(fetches + 1);
        assert_ne!(value.as_deref(), Some(late.as_str()), "{meanwhile}");
        if meanwhile == "foreign" {
            assert_eq!(world.get("stale").await.expect(200).text(), r#"{"theirs":1}"#);
        }
    }
}
