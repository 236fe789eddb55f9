//! Values of other services, and lost companions and tags.

use runtime::cache::{How, Mode};
use runtime::ports::redis::RedisError;
use support::RedisServer;

use super::{LONG, Plan, TAG, World, companion, is_failure, local, policy, tag, text, windows};

async fn world(redis: &RedisServer) -> World {
    World::new(redis, policy(windows(LONG, LONG, LONG))).await
}

#[tokio::test]
async fn a_value_of_another_service_is_fresh_from_first_sight() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        let _: String = redis.run(r#"SET profile:7 {"theirs":1} EX 4500"#).await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"theirs":1}"#, How::Hit));
        assert!(answer.ttl_ms > 99_000 && answer.age_ms < 1000, "{answer:?}");
        assert!(redis.run::<i64>("TTL profile:7").await > 4400, "its own expiry stays");
        // One that lives shorter than our freshness is not fresh for longer than it lives.
        let _: String = redis.run(r#"SET profile:7 {"theirs":2} EX 5"#).await;
        let answer = world.read().await;
        assert_eq!(text(&answer), r#"{"theirs":2}"#);
        assert!((1..=5000).contains(&answer.ttl_ms), "{answer:?}");
        assert!((1..=5).contains(&redis.run::<i64>("TTL profile:7").await), "not extended");
        assert_eq!(world.fetches.get(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_value_without_expiry_gets_one() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        let _: String = redis.run(r#"SET profile:7 {"theirs":1}"#).await;
        assert_eq!(text(&world.read().await), r#"{"theirs":1}"#);
        let ttl: i64 = redis.run("TTL profile:7").await;
        assert!((1..=200).contains(&ttl), "{ttl}");
        assert_eq!(world.fetches.get(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_json_is_not_served_and_what_is_no_string_is_an_error() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        let _: String = redis.run("SET profile:7 garbage EX 50").await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Miss));
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":1}"#);
        assert_eq!(redis.run::<i64>("DEL profile:7").await, 1);
        let _: i64 = redis.run("RPUSH profile:7 x").await;
        let _: i64 = redis.run("EXPIRE profile:7 50").await;
        assert_eq!(world.try_read("").await, Err(RedisError::WrongType));
    })
    .await;
}

#[tokio::test]
async fn the_entity_tag_is_never_wrong_for_a_write_that_keeps_the_expiry() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        world.read().await;
        let etag = format!("\"{}\"", runtime::cache::etag_of(br#"{"n":1}"#));
        let unchanged = world.try_read(&etag).await.unwrap();
        assert!(matches!(unchanged.content, runtime::cache::Content::Unchanged { .. }));
        let _: String = redis.run(r#"SET profile:7 {"n":2} KEEPTTL"#).await;
        assert_eq!(text(&world.try_read(&etag).await.unwrap()), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_lost_companion_makes_the_value_another_services() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        world.read().await;
        assert_eq!(redis.run_words::<i64>(&["DEL", &companion()]).await, 1);
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Hit));
        assert!(answer.ttl_ms > 99_000);
        assert_eq!(world.fetches.get(), 1);
        // What its tag has seen still counts: the value may be older than that.
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        assert_eq!(redis.run_words::<i64>(&["DEL", &companion()]).await, 1);
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_soft_tag_and_no_companion_mean_stale() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        world.read().await;
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Soft).await.unwrap();
        assert_eq!(redis.run_words::<i64>(&["DEL", &companion()]).await, 1);
        let answer = world.read().await;
        assert!(text(&answer) == r#"{"n":1}"# && answer.ttl_ms <= 0, "{answer:?}");
        world.fetched(&redis, 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_tag_brings_nothing_back() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        world.read().await;
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        assert_eq!(redis.run_words::<i64>(&["DEL", &tag()]).await, 1);
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
        let ttl: i64 = redis.run_words(&["TTL", &tag()]).await;
        assert!(ttl > 30 * 24 * 3600, "a tag outlives what is tagged: {ttl}");
    })
    .await;
}

#[tokio::test]
async fn invalidation_by_key_and_by_tag_does_what_its_mode_says() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        world.read().await;
        world.cache.invalidate(world.entry(), &world.policy, Mode::Soft).await.unwrap();
        let answer = world.read().await;
        assert!(text(&answer) == r#"{"n":1}"# && answer.ttl_ms <= 0, "{answer:?}");
        world.fetched(&redis, 2).await;
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Soft).await.unwrap();
        let answer = world.read().await;
        assert!(text(&answer) == r#"{"n":2}"# && answer.ttl_ms <= 0, "{answer:?}");
        world.fetched(&redis, 3).await;
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        assert_eq!(text(&world.read().await), r#"{"n":4}"#);
        world.cache.invalidate(world.entry(), &world.policy, Mode::Hard).await.unwrap();
        assert_eq!(redis.run::<i64>("EXISTS profile:7").await, 0);
        assert_eq!(text(&world.read().await), r#"{"n":5}"#);
    })
    .await;
}

#[tokio::test]
async fn a_soft_invalidation_of_another_services_value_keeps_what_is_known_of_it() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        let _: String = redis.run(r#"SET profile:7 {"theirs":1}"#).await;
        world.cache.invalidate(world.entry(), &world.policy, Mode::Soft).await.unwrap();
        let answer = world.read().await;
        assert!(text(&answer) == r#"{"theirs":1}"# && answer.ttl_ms <= 0, "{answer:?}");
        world.fetched(&redis, 1).await;
        // Its tag was invalidated hard, and it may be older: a soft mark must not bring it back.
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        let _: String = redis.run(r#"SET profile:7 {"theirs":2}"#).await;
        world.cache.invalidate(world.entry(), &world.policy, Mode::Soft).await.unwrap();
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_was_missing_at_a_soft_invalidation_is_missed_when_it_is_lost() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        let _: String = redis.run(r#"SET profile:7 {"theirs":1}"#).await;
        world.cache.invalidate(world.entry(), &world.policy, Mode::Soft).await.unwrap();
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        assert_eq!(redis.run_words::<i64>(&["DEL", &tag()]).await, 1);
        assert_eq!(text(&world.read().await), r#"{"n":1}"#);
    })
    .await;
}

#[tokio::test]
async fn a_soft_invalidation_brings_no_value_back_that_was_barred() {
    let redis = RedisServer::start().await;
    local(async {
        let world = world(&redis).await;
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        let _: String = redis.run(r#"SET profile:7 {"theirs":1}"#).await;
        world.plan(Plan::Fail);
        is_failure(&world.read().await);
        // The one who remembered why it may not be served is lost, and then it is marked.
        assert_eq!(redis.run_words::<i64>(&["DEL", &tag()]).await, 1);
        world.cache.invalidate(world.entry(), &world.policy, Mode::Soft).await.unwrap();
        world.plan(Plan::Count);
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn what_is_written_after_an_invalidation_was_seen_is_served_and_kept() {
    let redis = RedisServer::start().await;
    local(async {
        for mode in [Mode::Hard, Mode::Soft] {
            let _: String = redis.run("FLUSHALL").await;
            let world = World::new(&redis, policy(windows(LONG, LONG, LONG))).await;
            world.read().await;
            world.cache.invalidate_tags(&[TAG.to_owned()], mode).await.unwrap();
            world.read().await;
            world.fetched(&redis, 2).await;
            for (command, body) in [
                ("SET profile:7 [1] EX 60", "[1]"),
                ("SET profile:7 [2]", "[2]"),
                ("SET profile:7 [3] EX 50", "[3]"),
            ] {
                let _: String = redis.run(command).await;
                for _ in 0..2 {
                    let answer = world.read().await;
                    assert_eq!((text(&answer), answer.how), (body, How::Hit), "{mode:?} {command}");
                    assert!(answer.ttl_ms > 0, "{mode:?} {command} {answer:?}");
                }
            }
            assert_eq!(world.fetches.get(), 2, "{mode:?}");
            // Written before the next invalidation, for all that is known: the source says what holds.
            world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
            assert_eq!(world.read().await.how, How::Miss, "{mode:?}");
        }
    })
    .await;
}
