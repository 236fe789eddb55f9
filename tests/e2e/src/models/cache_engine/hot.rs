//! Values that were fresh a moment ago are read with one plain command, and whatever has happened to
//! them since is seen all the same.

use std::time::Duration;

use runtime::cache::{How, Mode};
use support::RedisServer;

use super::{LONG, Plan, TAG, World, local, policy, text, windows};

/// A world that has just seen its value fresh, by the script.
async fn hot(redis: &RedisServer) -> World {
    let world = World::new(redis, policy(windows(LONG, LONG, LONG))).await;
    for _ in 0..2 {
        assert_eq!(text(&world.read().await), r#"{"n":1}"#);
    }
    world
}

#[tokio::test]
async fn a_value_that_was_just_fresh_costs_one_command_and_no_script() {
    let redis = RedisServer::start().await;
    local(async {
        let world = hot(&redis).await;
        let _: String = redis.run("CONFIG RESETSTAT").await;
        for _ in 0..10 {
            let answer = world.read().await;
            assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Hit));
            assert!(answer.ttl_ms > 90_000 && answer.age_ms < 10_000, "{answer:?}");
        }
        assert_eq!((redis.calls("mget").await, redis.calls("evalsha").await), (10, 0));
        // The reader has it already: the script leaves out the body.
        let etag = format!("\"{}\"", runtime::cache::etag_of(br#"{"n":1}"#));
        world.try_read(&etag).await.unwrap();
        assert_eq!(redis.calls("evalsha").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_others_do_to_it_is_seen_at_once() {
    let redis = RedisServer::start().await;
    local(async {
        for (command, expected, how) in [
            (r#"SET profile:7 [1]"#, "[1]", How::Hit),
            (r#"SET profile:7 [1] EX 50"#, "[1]", How::Hit),
            (r#"SET profile:7 [1] KEEPTTL"#, "[1]", How::Hit),
            (r#"SET profile:7 garbage KEEPTTL"#, r#"{"n":2}"#, How::Miss),
            ("DEL profile:7", r#"{"n":2}"#, How::Miss),
            ("DEL bw:tag:{user:7}", r#"{"n":2}"#, How::Miss),
            ("FLUSHALL", r#"{"n":2}"#, How::Miss),
        ] {
            let _: String = redis.run("FLUSHALL").await;
            let world = hot(&redis).await;
            let _: redis::Value = redis.run(command).await;
            let answer = world.read().await;
            assert_eq!((text(&answer), answer.how), (expected, how), "{command}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_is_seen_at_once() {
    let redis = RedisServer::start().await;
    local(async {
        for mode in [Mode::Hard, Mode::Soft] {
            for by_tag in [false, true] {
                let _: String = redis.run("FLUSHALL").await;
                let world = hot(&redis).await;
                if by_tag {
                    world.cache.invalidate_tags(&[TAG.to_owned()], mode).await.unwrap();
                } else {
                    world.cache.invalidate(world.entry(), &world.policy, mode).await.unwrap();
                }
                let answer = world.read().await;
                let is_stale = answer.how == How::Hit && answer.ttl_ms <= 0;
                assert_eq!(is_stale, mode == Mode::Soft, "{mode:?} {by_tag} {answer:?}");
                assert_eq!(answer.how == How::Miss, mode == Mode::Hard, "{mode:?} {by_tag}");
                world.fetched(&redis, 2).await;
                assert_eq!(text(&world.read().await), r#"{"n":2}"#);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_stale_when_its_time_is_up() {
    let redis = RedisServer::start().await;
    local(async {
        let short = windows(Duration::from_millis(200), LONG, LONG);
        let world = World::new(&redis, policy(short)).await;
        world.read().await;
        let _: String = redis.run("CONFIG RESETSTAT").await;
        let stale = loop {
            let answer = world.read().await;
            if world.fetches.get() > 1 || answer.ttl_ms <= 0 {
                break answer;
            }
            assert_eq!(text(&answer), r#"{"n":1}"#);
        };
        // Served from the one call that found it stale, or refreshed early by chance.
        if stale.ttl_ms <= 0 {
            assert_eq!(text(&stale), r#"{"n":1}"#);
        }
        assert!(redis.calls("mget").await > 0);
        world.fetched(&redis, 2).await;
    })
    .await;
}

#[tokio::test]
async fn without_redis_the_source_is_asked() {
    let redis = RedisServer::start().await;
    local(async {
        let world = hot(&redis).await;
        redis.kill();
        world.plan(Plan::Raw("[2]"));
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), ("[2]", How::Bypass));
    })
    .await;
}
