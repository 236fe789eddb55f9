//! What other services do that leaves no trace in the expiry: `SET … KEEPTTL`, and companions that
//! are no strings any more.

use std::time::{Duration, Instant};

use runtime::cache::{Fetched, How, Mode, Validators, Value};
use support::RedisServer;

use super::{LONG, NONE, Plan, TAG, World, companion, is_failure, lease, local, policy};
use super::{tag, text, windows};

#[tokio::test]
async fn what_is_no_json_is_not_served_although_the_expiry_was_kept() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, LONG, LONG))).await;
        let etag = format!("\"{}\"", runtime::cache::etag_of(br#"{"n":1}"#));
        for (n, known) in [(2, ""), (3, etag.as_str())] {
            world.read().await;
            let _: String = redis.run("SET profile:7 garbage KEEPTTL").await;
            let answer = world.try_read(known).await.unwrap();
            assert_eq!((text(&answer), answer.how), (format!("{{\"n\":{n}}}").as_str(), How::Miss));
            assert!(answer.stored);
        }
        // Stale, and past that.
        for policy in [policy(windows(NONE, LONG, LONG)), policy(windows(NONE, NONE, LONG))] {
            let world = world.with(policy);
            world.cache.invalidate(world.entry(), &world.policy, Mode::Hard).await.unwrap();
            world.read().await;
            let _: String = redis.run("SET profile:7 garbage KEEPTTL").await;
            let begun = Instant::now();
            let answer = world.read().await;
            assert_eq!((answer.how, answer.stored), (How::Miss, true), "{answer:?}");
            // Not for its own cache lease.
            assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
            assert_ne!(text(&answer), "garbage");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_json_is_not_served_while_the_source_fails() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, LONG, LONG))).await;
        world.read().await;
        let _: String = redis.run("SET profile:7 garbage KEEPTTL").await;
        world.plan(Plan::Fail);
        for _ in 0..3 {
            is_failure(&world.read().await);
        }
        assert_eq!(world.fetches.get(), 2, "one attempt, then the cool-down");
    })
    .await;
}

#[tokio::test]
async fn a_value_that_another_service_replaced_is_served_and_never_said_to_be_the_same() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, LONG, LONG))).await;
        let validators = Validators { etag: "\"v1\"".to_owned(), ..Validators::default() };
        let value = Value { body: "[1]".to_owned(), validators, ..Value::default() };
        world.plan(Plan::Answer(Fetched::Value(value)));
        world.read().await;
        let _: String = redis.run(r#"SET profile:7 {"theirs":1} KEEPTTL"#).await;
        world.plan(Plan::Count);
        assert_eq!(text(&world.read().await), r#"{"theirs":1}"#);
        world.fetched(&redis, 2).await;
        // The validators are those of the value that lay there before.
        assert!(world.known.borrow().validators.is_empty(), "{:?}", world.known);
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_value_that_another_service_replaces_during_a_refresh_stays() {
    let redis = RedisServer::start().await;
    local(async {
        let validators = Validators { etag: "\"v1\"".to_owned(), ..Validators::default() };
        let value = Value { body: "[1]".to_owned(), validators, ..Value::default() };
        for end in [
            Plan::Count,
            Plan::Fail,
            Plan::Answer(Fetched::Same(value.clone())),
            Plan::Answer(Fetched::Absent),
            Plan::Answer(Fetched::Value(Value { no_store: true, ..value.clone() })),
        ] {
            let _: String = redis.run("FLUSHALL").await;
            let world = World::new(&redis, policy(windows(NONE, LONG, LONG))).await;
            world.plan(Plan::Answer(Fetched::Value(value.clone())));
            world.read().await;
            world.plan(end);
            world.takes.set(Duration::from_millis(200));
            assert_eq!(text(&world.read().await), "[1]");
            support::eventually("it fetches", async || (world.fetches.get() == 2).then_some(()))
                .await;
            let _: String = redis.run(r#"SET profile:7 {"theirs":1} KEEPTTL"#).await;
            world.fetched(&redis, 2).await;
            assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"theirs":1}"#);
            // The next refresh began after it.
            world.plan(Plan::Count);
            assert_eq!(text(&world.read().await), r#"{"theirs":1}"#);
            world.fetched(&redis, 3).await;
            assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":3}"#);
        }
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_is_none_blocks_nobody() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, LONG, LONG))).await;
        // Another type or form, one that ended, and one that nobody takes for so long; all without an
        // expiry.
        for spoil in [
            ["LPUSH", "x"],
            ["SADD", "x"],
            ["APPEND", "x"],
            ["APPEND", "token\n-2\n\n"],
            ["APPEND", "token\n-2\n\n\n1700000000000"],
            ["APPEND", "token\n-2\n\n\n9999999999999"],
        ] {
            assert!(redis.run_words::<i64>(&["DEL", "profile:7", &companion()]).await >= 0);
            let fetches = world.fetches.get();
            for nth in 1..=2 {
                // A miss, then a stale value.
                let _: i64 = redis.run_words(&["DEL", &lease()]).await;
                let _: i64 = redis.run_words(&[spoil[0], &lease(), spoil[1]]).await;
                let begun = Instant::now();
                world.read().await;
                assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
                world.fetched(&redis, fetches + nth).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn companions_and_tags_of_a_wrong_type_are_replaced() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, LONG, LONG))).await;
        let spoil = async |key: &str| {
            let _: i64 = redis.run_words(&["DEL", key]).await;
            let _: i64 = redis.run_words(&["LPUSH", key, "x"]).await;
        };
        let is_ours = async |key: &str| {
            let kind: String = redis.run_words(&["TYPE", key]).await;
            let ttl: i64 = redis.run_words(&["PTTL", key]).await;
            assert!(kind == "string" && ttl > 0, "{key}: {kind}, {ttl} ms");
        };
        // Without a value, then as if another service had written it.
        for _ in 0..2 {
            spoil(&companion()).await;
            assert_eq!(text(&world.read().await), r#"{"n":1}"#);
            is_ours(&companion()).await;
        }
        // A tag that was lost means that its values are.
        spoil(&tag()).await;
        assert_eq!(text(&world.read().await), r#"{"n":2}"#);
        is_ours(&tag()).await;
        spoil(&tag()).await;
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Soft).await.unwrap();
        is_ours(&tag()).await;
        for mode in [Mode::Soft, Mode::Hard] {
            world.read().await;
            spoil(&companion()).await;
            spoil(&lease()).await;
            world.cache.invalidate(world.entry(), &world.policy, mode).await.unwrap();
            let fetches = world.fetches.get();
            world.read().await;
            world.fetched(&redis, fetches + 1).await;
            is_ours(&companion()).await;
        }
    })
    .await;
}
