//! What an HTTP origin may do: validators, freshness, redirects, errors, size.

use std::time::Duration;

use shared::limits::CACHE_VALIDATOR_BYTES_MAX;
use support::{Origin, Plan, eventually};

use super::{World, nth};

#[tokio::test]
async fn a_refetch_is_conditional() {
    let world = World::start().await;
    let modified = "Sat, 21 Nov 2026 10:00:00 GMT";
    let plan = Plan::default().with("ETag", "W/\"v1\"").with("Last-Modified", modified);
    world.origin.plan(plan);
    world.get("expired").await.expect(200);
    assert!(!world.origin.last().contains("if-none-match"));
    world.origin.plan(Plan::status(304).with("ETag", "W/\"v1\""));
    let answer = world.get("expired").await.expect(200);
    assert_eq!(answer.text(), nth(1));
    assert!(answer.header("cache-status").starts_with("bellwire; fwd=stale; stored"));
    let request = world.origin.last();
    assert!(request.contains("if-none-match: w/\"v1\""), "{request}");
    assert!(request.contains("if-modified-since: sat, 21 nov 2026"), "{request}");
    // And in the background.
    world.origin.plan(Plan::default().with("ETag", "\"v2\""));
    world.get("stale").await.expect(200);
    world.origin.plan(Plan::status(304));
    world.get("stale").await.expect(200);
    world.refreshed("stale", 4).await;
    assert!(world.origin.last().contains("if-none-match: \"v2\""));
    assert_eq!(world.redis.run::<String>("GET stale").await, nth(3));
}

#[tokio::test]
async fn a_validator_without_measure_is_not_sent_back() {
    let world = World::start().await;
    let long = format!("\"{}\"", "x".repeat(CACHE_VALIDATOR_BYTES_MAX));
    let modified = "Sat, 21 Nov 2026 10:00:00 GMT";
    let plan = Plan::default().with("ETag", long).with("Last-Modified", modified);
    world.origin.plan(plan);
    world.get("expired").await.expect(200);
    world.origin.plan(Plan::status(304));
    let answer = world.get("expired").await.expect(200);
    assert_eq!(answer.text(), nth(1));
    let request = world.origin.last();
    assert!(!request.contains("if-none-match"), "{request}");
    assert!(request.contains("if-modified-since"), "{request}");
}

#[tokio::test]
async fn the_origin_decides_on_freshness_where_the_resource_says_so() {
    let world = World::start().await;
    let plan = Plan::default().with("Cache-Control", "max-age=50").with("Age", "20");
    world.origin.plan(plan.clone());
    world.get("item/1").await.expect(200);
    let hit = world.get("item/1").await.expect(200);
    let status = hit.header("cache-status");
    let ttl: i64 = status.strip_prefix("bellwire; hit; ttl=").unwrap().parse().unwrap();
    assert!((20..=30).contains(&ttl), "{status}");
    let age: i64 = hit.header("age").parse().unwrap();
    assert!((20..25).contains(&age), "{age}");
    // `fresh` does not ask it.
    world.origin.plan(plan);
    world.get("fresh").await.expect(200);
    assert_eq!(world.get("fresh").await.header("age"), "0");
    world.origin.plan(Plan::default().with("Cache-Control", "no-store"));
    let fetches = world.origin.count();
    for n in 1..=3 {
        assert_eq!(world.get("item/2").await.expect(200).text(), nth(fetches + n));
    }
    assert_eq!(world.redis.run::<i64>("EXISTS item:2").await, 0);
}

#[tokio::test]
async fn parameters_reach_the_origin_encoded_and_never_choose_a_host() {
    let world = World::start().await;
    world.get("item/a@b+c%7Cd~.").await.expect(200);
    let request = world.origin.last();
    let line = request.lines().next().unwrap();
    assert_eq!(line, "GET /items/a%40b%2Bc%7Cd~.?of=a%40b%2Bc%7Cd~. HTTP/1.1");
    assert!(request.contains(&format!("host: {}", world.origin.address())), "{request}");
    for bad in ["..", "%2e%2e", "a%2f..%2fb", "x%3Fy", "a%23b", "%0d%0aHost:%20evil"] {
        let answer = world.get(&format!("item/{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    assert_eq!(world.origin.count(), 1);
}

#[tokio::test]
async fn redirects_stay_on_the_host_and_end() {
    let world = World::start().await;
    let other = Origin::start().await;
    let elsewhere = format!("http://{}/stolen", other.address());
    world.origin.plan(Plan::status(302).with("Location", elsewhere));
    world.get("item/1").await.expect_problem(502, "origin_failed");
    assert_eq!(other.count(), 0);
    world.origin.plan(Plan::status(301).with("Location", "/items/elsewhere"));
    let before = world.origin.count();
    world.get("item/2").await.expect_problem(502, "origin_failed");
    assert_eq!(world.origin.count() - before, 4, "three redirects are followed");
    assert!(world.origin.last().starts_with("GET /items/elsewhere "), "{}", world.origin.last());
    // One that leads somewhere.
    let (address, origin) = (world.origin.address(), &world.origin);
    origin.plan(Plan {
        delay: Duration::from_millis(300),
        ..Plan::status(302).with("Location", format!("http://{address}/there"))
    });
    let before = origin.count();
    let (answer, ()) = tokio::join!(world.get("item/3"), async {
        eventually("it asks", async || (origin.count() > before).then_some(())).await;
        origin.plan(Plan::default());
    });
    assert_eq!(answer.expect(200).text(), nth(before + 2));
}

#[tokio::test]
async fn not_found_is_remembered_and_failures_are_not_stored() {
    let world = World::start().await;
    world.origin.plan(Plan::status(404));
    for _ in 0..3 {
        world.get("item/none").await.expect_problem(404, "not_found");
    }
    assert_eq!(world.origin.count(), 1);
    for (at, plan) in [
        Plan::status(500),
        Plan::status(401),
        Plan::status(204),
        Plan::json("no json"),
        Plan::json("\u{0}"),
        Plan::json(""),
        Plan::status(304),
    ]
    .into_iter()
    .enumerate()
    {
        let (path, shown) = (format!("item/bad{at}"), format!("{plan:?}"));
        world.origin.plan(plan);
        let answer = world.get(&path).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (502, Some("origin_failed")),
            "{shown}"
        );
        assert!(answer.header("retry-after").parse::<u32>().is_ok());
        assert_eq!(world.redis.run::<i64>(&format!("EXISTS item:bad{at}")).await, 0);
    }
}

#[tokio::test]
async fn fifty_mebibytes_are_given_up_early() {
    let world = World::start().await;
    const MIB: usize = 1024 * 1024;
    let megabyte = format!("\"{}\"", "x".repeat(MIB - 2));
    world.origin.plan(Plan { times: 50, ..Plan::json(&megabyte) });
    let answer = world.get("item/huge").await.expect_problem(502, "origin_failed");
    answer.within(Duration::from_secs(3));
    assert!(world.origin.bytes_sent() < 40 * MIB, "{}", world.origin.bytes_sent());
    assert_eq!(world.redis.run::<i64>("EXISTS item:huge").await, 0);
}

#[tokio::test]
async fn a_hanging_origin_takes_its_timeout() {
    let world = World::start().await;
    world.origin.plan(Plan { hangs: true, ..Plan::default() });
    let reads = (0..20).map(|_| world.get("item/slow"));
    for answer in futures_util::future::join_all(reads).await {
        answer.expect_problem(504, "origin_timeout").within(Duration::from_secs(4));
    }
    assert_eq!(world.origin.count(), 1);
    // With something older, a reader waits for the soft timeout only.
    world.origin.plan(Plan::default());
    let old = world.get("expired").await.expect(200);
    world.origin.plan(Plan { hangs: true, ..Plan::default() });
    let covered = world.get("expired").await.expect(200).within(Duration::from_millis(1500));
    assert_eq!(covered.text(), old.text());
}

#[tokio::test]
async fn a_failing_origin_is_covered_by_what_there_is() {
    let world = World::start().await;
    let old = world.get("expired").await.expect(200);
    world.origin.plan(Plan::status(500));
    for _ in 0..5 {
        let answer = world.get("expired").await.expect(200);
        assert_eq!(answer.text(), old.text());
        assert!(answer.header("cache-status").starts_with("bellwire; hit; ttl=-"), "{answer:?}");
    }
    assert_eq!(world.origin.count(), 2, "one attempt, then it is left alone");
}
