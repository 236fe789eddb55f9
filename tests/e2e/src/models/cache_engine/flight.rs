//! One fetch for everybody.

use std::time::{Duration, Instant};

use runtime::cache::How;
use support::{RedisServer, eventually};

use super::{LONG, NONE, Plan, World, companion, crowd, lease, local, policy, text, windows};

#[tokio::test]
async fn two_hundred_readers_of_a_cold_key_cost_one_fetch() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, NONE, LONG))).await;
        world.takes.set(Duration::from_millis(100));
        let answers = crowd(&world, 200).await;
        assert_eq!(world.fetches.get(), 1);
        assert!(answers.iter().all(|answer| text(answer) == r#"{"n":1}"#), "{answers:?}");
        let leaders = answers.iter().filter(|answer| answer.stored).count();
        let followers = answers.iter().filter(|answer| answer.collapsed).count();
        assert_eq!((leaders, followers), (1, 199));
        assert!(answers.iter().all(|answer| answer.how == How::Miss));
        let stored: String = redis.run("GET profile:7").await;
        assert_eq!(stored, r#"{"n":1}"#, "plain JSON under the value's own key");
    })
    .await;
}

#[tokio::test]
async fn two_hundred_readers_of_a_stale_key_are_answered_at_once_and_cost_one_fetch() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, LONG, LONG))).await;
        world.read().await;
        world.takes.set(Duration::from_millis(500));
        let begun = Instant::now();
        let answers = crowd(&world, 200).await;
        assert!(begun.elapsed() < world.takes.get(), "somebody waited for the refresh");
        assert!(answers.iter().all(|answer| text(answer) == r#"{"n":1}"#));
        assert!(answers.iter().all(|answer| answer.how == How::Hit && answer.ttl_ms <= 0));
        world.fetched(&redis, 2).await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_dies_costs_one_lease() {
    a_leader_dies(async |_| {}).await;
}

#[tokio::test]
async fn a_leader_that_dies_costs_one_lease_even_if_that_loses_its_expiry() {
    a_leader_dies(async |redis| {
        assert_eq!(redis.run_words::<i64>(&["PERSIST", &lease()]).await, 1);
    })
    .await;
}

async fn a_leader_dies(meanwhile: impl AsyncFn(&RedisServer)) {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, NONE, LONG))).await;
        world.plan(Plan::Hang);
        let leader = {
            let world = world.clone();
            tokio::task::spawn_local(async move { world.read().await })
        };
        eventually("the leader fetches under its lease", async || {
            let taken: i64 = redis.run_words(&["EXISTS", &lease()]).await;
            (taken == 1 && world.fetches.get() == 1).then_some(())
        })
        .await;
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        meanwhile(&redis).await;
        world.plan(Plan::Count);
        let begun = Instant::now();
        let answers = crowd(&world, 50).await;
        assert!(begun.elapsed() < world.policy.lease() + Duration::from_secs(1));
        assert_eq!(world.fetches.get(), 2, "the dead one's, and one more");
        assert!(answers.iter().all(|answer| text(answer) == r#"{"n":2}"#));
    })
    .await;
}

#[tokio::test]
async fn a_costly_value_is_refreshed_early_by_one_reader() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(Duration::from_secs(2), LONG, LONG))).await;
        world.takes.set(Duration::from_millis(300));
        world.read().await;
        // With a cost of 300 ms, one in 800 readers refreshes when 2 s are left, and one in 28
        // with 1 s left: many readers see to it before the value is stale.
        let mut worst_ttl_ms = i64::MAX;
        eventually("an early refresh", async || {
            let answers = crowd(&world, 20).await;
            let ttl_ms = answers.iter().map(|answer| answer.ttl_ms).min().unwrap();
            worst_ttl_ms = worst_ttl_ms.min(ttl_ms);
            (world.fetches.get() == 2).then_some(())
        })
        .await;
        world.fetched(&redis, 2).await;
        assert!(worst_ttl_ms > 0, "it was stale before: {worst_ttl_ms}");
        let kept: String = redis.run_words(&["GET", &companion()]).await;
        let cost: u64 = kept.split(' ').nth(5).unwrap().parse().unwrap();
        assert!((300..600).contains(&cost), "the cost is what was measured: {cost}");
    })
    .await;
}
