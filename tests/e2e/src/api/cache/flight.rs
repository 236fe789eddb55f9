//! One fetch for everybody, across instances and hosts, whoever dies.

use std::time::{Duration, Instant};

use support::{Answer, Functions, Plan, RedisServer, eventually};

use super::{World, nth, setup};

/// `count` reads at once, in turns over the hosts.
async fn crowd(hosts: &[&Functions], count: usize, path: &str) -> Vec<Answer> {
    let target = format!("/cache/{path}");
    let reads = (0..count).map(|at| hosts[at % hosts.len()].get(&target).send());
    futures_util::future::join_all(reads).await
}

#[tokio::test]
async fn two_hundred_readers_of_a_cold_key_on_two_hosts_cost_one_fetch() {
    let world = World::start().await;
    let second = setup(&world.redis, &world.origin).start().await;
    world.origin.plan(Plan::after(Duration::from_millis(300)));
    let answers = crowd(&[&world.functions, &second], 200, "fresh").await;
    assert_eq!(world.origin.count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text() == nth(1)));
    let having = |word: &str| {
        answers.iter().filter(|answer| answer.header("cache-status").contains(word)).count()
    };
    assert_eq!(having("; stored"), 1);
    assert!(having("; collapsed") >= 150, "{}", having("; collapsed"));
}

#[tokio::test]
async fn two_hundred_readers_of_a_stale_key_are_answered_at_once_and_cost_one_fetch() {
    let world = World::start().await;
    let second = setup(&world.redis, &world.origin).start().await;
    world.get("stale").await.expect(200);
    // Longer than all the answers together take.
    world.origin.plan(Plan::after(Duration::from_secs(4)));
    let begun = Instant::now();
    let answers = crowd(&[&world.functions, &second], 200, "stale").await;
    assert!(begun.elapsed() < Duration::from_secs(4), "somebody waited: {:?}", begun.elapsed());
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text() == nth(1)));
    world.refreshed("stale", 2).await;
    assert_eq!(world.redis.run::<String>("GET stale").await, nth(2));
}

#[tokio::test]
async fn a_leader_whose_host_dies_costs_one_lease() {
    let world = World::start().await;
    let doomed = setup(&world.redis, &world.origin).start().await;
    world.origin.plan(Plan { hangs: true, ..Plan::default() });
    let http = (*doomed).clone();
    let leader = tokio::spawn(async move { http.get("/cache/item/7").send().await });
    eventually("it fetches", async || (world.origin.count() == 1).then_some(())).await;
    doomed.kill();
    leader.abort();
    let _ = leader.await;
    world.origin.plan(Plan::default());
    let begun = Instant::now();
    let answers = crowd(&[&world.functions], 20, "item/7").await;
    // The cache lease is the timeout of 1 s and a margin of 2 s.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text() == nth(2)));
    assert_eq!(world.origin.count(), 2);
}

#[tokio::test]
async fn a_refresh_that_is_lost_with_its_host_does_not_block_the_next() {
    let world = World::start().await;
    world.get("stale").await.expect(200);
    let doomed = setup(&world.redis, &world.origin).start().await;
    world.origin.plan(Plan { hangs: true, ..Plan::default() });
    doomed.get("/cache/stale").send().await.expect(200);
    eventually("it refreshes", async || (world.origin.count() == 2).then_some(())).await;
    doomed.kill();
    world.origin.plan(Plan::default());
    eventually("somebody else refreshes", async || {
        assert_eq!(world.get("stale").await.expect(200).within(Duration::from_secs(2)).status, 200);
        let value: String = world.redis.run("GET stale").await;
        (value != nth(1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fresh_hit_is_one_command() {
    let redis = RedisServer::start().await;
    let origin = support::Origin::start().await;
    let functions = setup(&redis, &origin).start().await;
    functions.get("/cache/fresh").send().await.expect(200);
    functions.get("/cache/fresh").send().await.expect(200);
    let calls = async || {
        let scripts = redis.calls("evalsha").await + redis.calls("eval").await;
        (redis.calls("mget").await, scripts, redis.calls("set").await)
    };
    let before = calls().await;
    for _ in 0..10 {
        functions.get("/cache/fresh").send().await.expect(200);
    }
    let after = calls().await;
    // By itself or in the script.
    assert_eq!((after.0 - before.0, after.2 - before.2), (10, 0));
    assert!(after.1 - before.1 <= 5, "scripts for what was just fresh: {before:?} {after:?}");
}
