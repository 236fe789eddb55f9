//! What happens while somebody refreshes wins over the refresh.

use std::time::Duration;

use runtime::cache::Mode;
use support::{RedisServer, eventually};

use super::{LONG, NONE, TAG, World, lease, local, policy, tag, text, windows};

/// Runs `meanwhile` while a refresh of a stale value is under way, and waits for its end.
async fn during_a_refresh(world: &World, redis: &RedisServer, meanwhile: impl AsyncFn()) {
    world.read().await;
    world.takes.set(Duration::from_millis(300));
    world.read().await;
    eventually("a refresh is under way", async || (world.fetches.get() == 2).then_some(())).await;
    let held: String = redis.run_words(&["GET", &lease()]).await;
    meanwhile().await;
    // The refresh is over when its fetch is and its cache lease is gone or somebody else's.
    tokio::time::sleep(world.takes.get()).await;
    eventually("the refresh ends", async || {
        let now: Option<String> = redis.run_words(&["GET", &lease()]).await;
        (now.as_ref() != Some(&held)).then_some(())
    })
    .await;
    world.takes.set(NONE);
}

async fn stale(redis: &RedisServer) -> World {
    World::new(redis, policy(windows(NONE, LONG, LONG))).await
}

#[tokio::test]
async fn a_hard_invalidation_drops_the_late_write() {
    let redis = RedisServer::start().await;
    local(async {
        let world = stale(&redis).await;
        during_a_refresh(&world, &redis, async || {
            world.cache.invalidate(world.entry(), &world.policy, Mode::Hard).await.unwrap();
        })
        .await;
        let value: Option<String> = redis.run("GET profile:7").await;
        assert_eq!(value, None, "what was fetched before the invalidation was written after it");
        assert_eq!(text(&world.read().await), r#"{"n":3}"#);
    })
    .await;
}

#[tokio::test]
async fn a_soft_invalidation_drops_the_late_write() {
    let redis = RedisServer::start().await;
    local(async {
        let world = stale(&redis).await;
        during_a_refresh(&world, &redis, async || {
            world.cache.invalidate(world.entry(), &world.policy, Mode::Soft).await.unwrap();
        })
        .await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":1}"#);
        assert_eq!(text(&world.read().await), r#"{"n":1}"#, "served while it is refreshed");
        world.fetched(&redis, 3).await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":3}"#);
    })
    .await;
}

#[tokio::test]
async fn an_invalidated_tag_drops_the_late_write() {
    for mode in [Mode::Soft, Mode::Hard] {
        let redis = RedisServer::start().await;
        local(async {
            let world = stale(&redis).await;
            during_a_refresh(&world, &redis, async || {
                world.cache.invalidate_tags(&[TAG.to_owned()], mode).await.unwrap();
            })
            .await;
            assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":1}"#, "{mode:?}");
            let shown = text(&world.read().await).to_owned();
            match mode {
                Mode::Soft => assert_eq!(shown, r#"{"n":1}"#),
                Mode::Hard => assert_eq!(shown, r#"{"n":3}"#),
            }
            world.fetched(&redis, 3).await;
        })
        .await;
    }
}

#[tokio::test]
async fn another_services_write_and_delete_drop_the_late_write() {
    let redis = RedisServer::start().await;
    local(async {
        let world = stale(&redis).await;
        during_a_refresh(&world, &redis, async || {
            let _: String = redis.run(r#"SET profile:7 {"theirs":1} EX 50"#).await;
        })
        .await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"theirs":1}"#);
        assert!(redis.run::<i64>("TTL profile:7").await <= 50);
        assert_eq!(text(&world.read().await), r#"{"theirs":1}"#);
    })
    .await;
    let redis = RedisServer::start().await;
    local(async {
        let world = stale(&redis).await;
        during_a_refresh(&world, &redis, async || {
            assert_eq!(redis.run::<i64>("DEL profile:7").await, 1);
        })
        .await;
        assert_eq!(redis.run::<Option<String>>("GET profile:7").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_write_without_expiry_is_told_from_the_one_before() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, LONG, LONG))).await;
        // It may be older than this, so it is not served.
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        let _: String = redis.run(r#"SET profile:7 {"theirs":1}"#).await;
        world.takes.set(Duration::from_millis(300));
        let (answer, ()) = tokio::join!(world.read(), async {
            eventually("it fetches", async || (world.fetches.get() == 1).then_some(())).await;
            assert!(redis.run::<i64>("PTTL profile:7").await > 0);
            let _: String = redis.run(r#"SET profile:7 {"theirs":2}"#).await;
        });
        assert_eq!((text(&answer), answer.stored), (r#"{"n":1}"#, false));
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"theirs":2}"#);
        world.read().await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_tag_drops_the_late_write() {
    let redis = RedisServer::start().await;
    local(async {
        let world = stale(&redis).await;
        during_a_refresh(&world, &redis, async || {
            assert_eq!(redis.run_words::<i64>(&["DEL", &tag()]).await, 1);
        })
        .await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":1}"#);
    })
    .await;
}

#[tokio::test]
async fn natural_expiry_during_the_refresh_is_no_reason_to_drop_it() {
    let redis = RedisServer::start().await;
    local(async {
        let world = stale(&redis).await;
        world.read().await;
        // As if it were at the end of its cache windows: 100 ms are left.
        let (key, fresh) = ("profile:7", world.with(policy(windows(LONG, LONG, LONG))));
        let exp: i64 = redis.run(&format!("PEXPIRETIME {key}")).await;
        let _: i64 = redis.run(&format!("PEXPIREAT {key} {}", exp - 100_000 + 100)).await;
        fresh.takes.set(Duration::from_millis(300));
        let stale = world.with(policy(windows(NONE, LONG, LONG)));
        // Another PEXPIRETIME: it is taken over as another service's, stale at once.
        stale.read().await;
        stale.fetched(&redis, 2).await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":2}"#);
    })
    .await;
}
