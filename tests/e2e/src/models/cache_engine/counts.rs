//! What is counted is right on average, however long instances live, and costs little.

use std::rc::Rc;
use std::time::Duration;

use runtime::cache::{Cache, Totals};
use support::{RedisServer, eventually};

use super::{LONG, World, local, policy, windows};
use crate::models::record_model::redis::FaultyRedis;

async fn world(redis: &RedisServer) -> World {
    let world = World::new(redis, policy(windows(LONG, LONG, LONG)).counted()).await;
    world.read().await;
    let store = store(redis).await;
    eventually("the miss is written at once", async || {
        (totals(&store).await.misses == 1).then_some(())
    })
    .await;
    world
}

async fn store(redis: &RedisServer) -> Rc<FaultyRedis> {
    let (delay, fate) = (Box::new(|| Duration::ZERO), Box::new(|| None));
    Rc::new(FaultyRedis::new(redis.connection().await, delay, fate))
}

async fn totals(store: &FaultyRedis) -> Totals {
    let (all, _) = Totals::read(store).await.unwrap();
    all.get("test").copied().unwrap_or_default()
}

#[tokio::test]
async fn an_instance_that_lives_counts_exactly_and_writes_once_a_second() {
    let redis = RedisServer::start().await;
    local(async {
        let (world, store) = (world(&redis).await, store(&redis).await);
        let _: String = redis.run("CONFIG RESETSTAT").await;
        for _ in 0..1_000 {
            world.read().await;
        }
        eventually("the hits are written", async || {
            (totals(&store).await.hits == 1_000).then_some(())
        })
        .await;
        let writes = redis.calls("hincrby").await;
        assert!((1..=5).contains(&writes), "{writes}");
        let totals = totals(&store).await;
        assert_eq!((totals.misses, totals.fetches, totals.failures), (1, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn instances_of_a_single_read_are_right_on_average_and_write_one_in_eight() {
    const READS: i64 = 4_000;
    let redis = RedisServer::start().await;
    local(async {
        let (world, store) = (world(&redis).await, store(&redis).await);
        let _: String = redis.run("CONFIG RESETSTAT").await;
        for _ in 0..READS {
            // A new instance, which shares the randomness.
            let cache = Cache::new(Rc::clone(&store), world.host.clone());
            World { cache, ..world.clone() }.read().await;
        }
        let totals = eventually("all is written", async || {
            let writes = i64::try_from(redis.calls("hincrby").await).unwrap();
            let totals = totals(&store).await;
            (totals.hits == 8 * writes).then_some((totals.hits, writes))
        })
        .await;
        // Five standard deviations: √(4000 · 7) = 167.
        assert!((totals.0 - READS).abs() < 5 * 167, "{totals:?}");
        assert!((READS / 12..READS / 6).contains(&totals.1), "{totals:?}");
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_does_not_ask_for_it_is_not_counted() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, LONG, LONG))).await;
        for _ in 0..20 {
            world.read().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(redis.calls("hincrby").await, 0);
    })
    .await;
}
