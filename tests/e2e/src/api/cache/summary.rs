//! `GET /cache`: what is declared, and what happened to it.

use std::time::Instant;

use serde_json::{Value, json};
use support::wait::eventually;
use support::{Plan, token};

use super::{World, setup};

async fn summary(world: &World) -> Value {
    let call = world.functions.get("/cache").token(&token("a console", "ops:read"));
    call.send().await.expect(200).json()
}

async fn counts(world: &World, resource: &str) -> Value {
    let all = summary(world).await;
    let items = all["items"].as_array().unwrap();
    items.iter().find(|item| item["resource"] == resource).unwrap().clone()
}

fn number(item: &Value, name: &str) -> i64 {
    item[name].as_i64().unwrap()
}

#[tokio::test]
async fn declared_resources_are_listed_before_anything_happened() {
    let world = World::start().await;
    let all = summary(&world).await;
    let items = all["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|item| item["resource"].as_str().unwrap()).collect();
    assert_eq!(names, ["fresh", "stale", "expired", "item/{id}", "mine/{userId}", "internal"]);
    let item = json!({
        "resource": "item/{id}", "key": "item:{id}", "access": "public",
        "tags": ["item:{id}", "all", "of-{id}:{id}-{id}"],
        "windowsMs": {"fresh": 100_000, "stale": 300_000, "error": 3_600_000},
        "hits": 0, "stale": 0, "misses": 0, "fetches": 0, "failures": 0, "fetchMs": null,
    });
    assert_eq!(items[3], item);
    assert_eq!(items[4]["access"], "subject:userId");
    assert_eq!(items[5]["access"], "cache:read");
    assert!(all["since"].as_str().unwrap().ends_with(":00:00.000Z"), "{all}");

    let call = world.functions.get("/cache").token(&token("svc", "cache:read cache:write"));
    call.send().await.expect_problem(403, "forbidden");
    world.functions.get("/cache").send().await.expect_problem(401, "unauthorized");
    let post = world.functions.call("POST", "/cache").send().await;
    assert_eq!(post.expect_problem(405, "method_not_allowed").header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn fetches_and_misses_are_counted_one_by_one() {
    let world = World::start().await;
    for id in ["1", "2", "3"] {
        world.get(&format!("item/{id}")).await.expect(200);
    }
    world.origin.plan(Plan::status(500));
    world.get("item/4").await.expect_problem(502, "origin_failed");
    let item = eventually("they are counted", async || {
        let item = counts(&world, "item/{id}").await;
        (number(&item, "fetches") == 4).then_some(item)
    })
    .await;
    assert_eq!((number(&item, "misses"), number(&item, "failures")), (4, 1));
    let (mean, worst) = (number(&item["fetchMs"], "mean"), number(&item["fetchMs"], "worst"));
    assert!(mean <= worst && worst < 5_000, "{item}");
    assert_eq!((number(&item, "hits"), number(&item, "stale")), (0, 0));
    // The last one is remembered for a second: not a hit, since it serves nobody.
    world.get("item/4").await.expect_problem(502, "origin_failed");
    assert_eq!(world.origin.count(), 4);
    let hours: Vec<String> = world.redis.run("KEYS bw:counts:{cache}:*").await;
    for hour in &hours {
        let ttl: i64 = world.redis.run_words(&["TTL", hour]).await;
        assert!((86_400..=26 * 3_600).contains(&ttl), "{hour}: {ttl}");
    }
    assert!(!hours.is_empty());
}

#[tokio::test]
async fn hits_are_counted_and_cost_hardly_a_command() {
    const READS: u64 = 1_000;
    let world = World::start().await;
    world.get("fresh").await.expect(200);
    eventually("the miss is counted", async || {
        (number(&counts(&world, "fresh").await, "misses") == 1).then_some(())
    })
    .await;
    world.redis.run::<()>("CONFIG RESETSTAT").await;
    let begun = Instant::now();
    for _ in 0..READS {
        world.get("fresh").await.expect(200);
    }
    // Every read is one MGET, its own or that of the script. Scripts are the first read of each
    // instance and one each five seconds, and what is written: once a second.
    assert_eq!(world.redis.calls("mget").await, READS);
    let scripts = world.redis.calls("evalsha").await;
    assert!(scripts <= READS / 20 + 2 * begun.elapsed().as_secs(), "{scripts} scripts");
    let item = eventually("they are counted", async || {
        let item = counts(&world, "fresh").await;
        (number(&item, "hits") > 900).then_some(item)
    })
    .await;
    // Off by eight for each of about eight instances at the very most.
    assert!(number(&item, "hits") < 1_100, "{item}");
    assert_eq!((number(&item, "misses"), number(&item, "fetches")), (1, 1));
}

#[tokio::test]
async fn stale_reads_and_their_refreshes_are_counted() {
    let world = World::start().await;
    for _ in 0..20 {
        world.get("stale").await.expect(200);
    }
    let fetches = i64::try_from(world.origin.count()).unwrap();
    let item = eventually("they are counted", async || {
        let item = counts(&world, "stale").await;
        (number(&item, "fetches") >= fetches && number(&item, "stale") > 0).then_some(item)
    })
    .await;
    assert_eq!(number(&item, "hits"), 0, "{item}");
    assert!(number(&item, "stale") <= 27 && number(&item, "misses") >= 1, "{item}");
}

#[tokio::test]
async fn reads_go_on_when_they_cannot_be_counted() {
    let world = World::start().await;
    world.redis.run::<()>("ACL SETUSER default -hincrby").await;
    for id in ["1", "1", "2"] {
        world.get(&format!("item/{id}")).await.expect(200);
    }
    eventually("it is told", async || {
        world.functions.output().contains("cache_counts_not_written").then_some(())
    })
    .await;
    assert_eq!(number(&counts(&world, "item/{id}").await, "hits"), 0);
    world.redis.kill();
    world.get("item/1").await.expect(200);
    let call = world.functions.get("/cache").token(&token("a console", "ops:read"));
    call.send().await.expect_problem(503, "redis_unavailable");
}

#[tokio::test]
async fn foreign_fields_do_no_harm() {
    let world = World::start().await;
    world.get("item/1").await.expect(200);
    eventually("it is counted", async || {
        (number(&counts(&world, "item/{id}").await, "misses") == 1).then_some(())
    })
    .await;
    let hours: Vec<String> = world.redis.run("KEYS bw:counts:{cache}:*").await;
    let hour = hours[0].as_str();
    let ours = ["HSET", hour, "misses item/{id}", "no number", "failures item/{id}", "-7"];
    world.redis.command(&ours).await;
    world.redis.command(&["HSET", hour, "hits item/{id}", "inf", "ms item/{id}", "nan"]).await;
    world.redis.command(&["PERSIST", hour]).await;
    world.get("item/2").await.expect(200);
    let item = eventually("the fetch is counted", async || {
        let item = counts(&world, "item/{id}").await;
        (number(&item, "fetches") == 2).then_some(item)
    })
    .await;
    let found = ["hits", "misses", "failures"].map(|name| number(&item, name));
    assert_eq!(found, [0, 0, 0], "{item}");
    let ttl: i64 = world.redis.run_words(&["TTL", hour]).await;
    assert!(ttl > 0, "{ttl}");
    // A hash of another size is not ours.
    let fields: Vec<String> = (0..10_001).flat_map(|at| [at.to_string(), "1".into()]).collect();
    let mut words = vec!["HSET", hour];
    words.extend(fields.iter().map(String::as_str));
    world.redis.command(&words).await;
    assert_eq!(number(&counts(&world, "item/{id}").await, "fetches"), 0);
}

#[tokio::test]
async fn two_hosts_count_together_and_yesterday_is_left_out() {
    let world = World::start().await;
    let second = setup(&world.redis, &world.origin).start().await;
    world.get("item/1").await.expect(200);
    second.get("/cache/item/2").send().await.expect(200);
    eventually("both are counted", async || {
        (number(&counts(&world, "item/{id}").await, "misses") == 2).then_some(())
    })
    .await;
    let hours: Vec<String> = world.redis.run("KEYS bw:counts:{cache}:*").await;
    let hour: i64 = hours[0].rsplit_once(':').unwrap().1.parse().unwrap();
    for (age, hits) in [(5, "70"), (23, "700"), (26, "7000")] {
        let key = shared::keys::cache_counts(hour - age);
        world.redis.command(&["HSET", &key, "hits item/{id}", hits, "hits gone", "1"]).await;
        world.redis.command(&["EXPIRE", &key, "600"]).await;
    }
    // The oldest hour that still counts may just have ended.
    let hits = number(&counts(&world, "item/{id}").await, "hits");
    assert!([70, 770].contains(&hits), "{hits}");
    assert_eq!(summary(&world).await["items"].as_array().unwrap().len(), 6);
}
