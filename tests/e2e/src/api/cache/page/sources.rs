//! Pages whose values come from their sources, or change meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Plan, token};

use super::super::{World, setup};
use super::{ask, code, is_hit, results, status};

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
