//! Cache windows, failures, not-found, validators.

use std::time::{Duration, Instant};

use runtime::cache::{Content, FetchError, Fetched, How, Validators, Value, Windows};
use shared::limits::CACHE_VALIDATOR_BYTES_MAX;
use support::{RedisServer, eventually};

use super::{LONG, NONE, Plan, World, companion, is_failure, local, policy, text, windows};

#[tokio::test]
async fn past_its_stale_time_a_value_is_refreshed_first() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, NONE, LONG))).await;
        world.read().await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":2}"#, How::Expired));
        assert!(answer.stored);
    })
    .await;
}

#[tokio::test]
async fn a_failing_source_is_covered_for_the_error_window_and_left_alone_meanwhile() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, NONE, LONG))).await;
        world.read().await;
        world.plan(Plan::Fail);
        for _ in 0..5 {
            let answer = world.read().await;
            assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Hit));
        }
        assert_eq!(world.fetches.get(), 2, "one attempt, then the cool-down");
    })
    .await;
}

#[tokio::test]
async fn without_a_value_a_failure_is_an_answer_and_not_stored() {
    let redis = RedisServer::start().await;
    local(async {
        let windows =
            Windows { cool_down: Duration::from_millis(400), ..windows(LONG, NONE, LONG) };
        let world = World::new(&redis, policy(windows)).await;
        world.plan(Plan::Fail);
        for _ in 0..5 {
            is_failure(&world.read().await);
        }
        assert_eq!(world.fetches.get(), 1, "the others were told by the cool-down");
        assert_eq!(redis.run::<i64>("EXISTS profile:7").await, 0);
        world.plan(Plan::Count);
        let answer = eventually("the cool-down ends", async || {
            let answer = world.read().await;
            matches!(answer.content, Content::Json { .. }).then_some(answer)
        })
        .await;
        assert_eq!(text(&answer), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_source_that_hangs_takes_its_timeout_and_no_longer() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, NONE, LONG))).await;
        world.plan(Plan::Hang);
        let begun = Instant::now();
        let answers = super::crowd(&world, 50).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        let timed_out = Content::Failed(FetchError::TimedOut);
        assert!(answers.iter().all(|answer| answer.content == timed_out), "{answers:?}");
        assert_eq!(world.fetches.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn with_something_older_a_reader_waits_for_the_soft_timeout_only() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, NONE, LONG))).await;
        world.read().await;
        world.takes.set(Duration::from_millis(450));
        let begun = Instant::now();
        let answers = super::crowd(&world, 20).await;
        assert!(begun.elapsed() < world.takes.get(), "{:?}", begun.elapsed());
        assert!(answers.iter().all(|answer| text(answer) == r#"{"n":1}"#), "{answers:?}");
        // The refresh went on.
        world.fetched(&redis, 2).await;
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn wrong_json_and_too_large_values_are_failures() {
    let redis = RedisServer::start().await;
    local(async {
        for bad in ["", "{", "not json", "{} {}"] {
            let short =
                Windows { cool_down: Duration::from_millis(1), ..windows(LONG, NONE, LONG) };
            let world = World::new(&redis, policy(short)).await;
            world.plan(Plan::Raw(bad));
            is_failure(&world.read().await);
        }
        assert_eq!(redis.run::<i64>("EXISTS profile:7").await, 0);
        let small = policy(windows(LONG, NONE, LONG)).bytes_max(5);
        let world = World::new(&redis, small).await;
        let answer = eventually("the cool-down ends", async || {
            let answer = world.read().await;
            (world.fetches.get() > 0).then_some(answer)
        })
        .await;
        is_failure(&answer);
    })
    .await;
}

#[tokio::test]
async fn not_found_is_remembered_for_its_own_time() {
    let redis = RedisServer::start().await;
    local(async {
        let absent = Windows { absent: Duration::from_millis(400), ..windows(LONG, NONE, LONG) };
        let world = World::new(&redis, policy(absent)).await;
        world.plan(Plan::Answer(Fetched::Absent));
        for _ in 0..5 {
            assert_eq!(world.read().await.content, Content::Absent);
        }
        assert_eq!(world.fetches.get(), 1);
        world.plan(Plan::Count);
        let answer = eventually("it is forgotten", async || {
            let answer = world.read().await;
            (answer.content != Content::Absent).then_some(answer)
        })
        .await;
        assert_eq!(text(&answer), r#"{"n":2}"#);
    })
    .await;
}

#[tokio::test]
async fn a_source_may_say_that_nothing_changed() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, NONE, LONG))).await;
        let validators = Validators {
            etag: "W/\"v1\"".to_owned(),
            last_modified: "Sat, 21 Nov 2026".to_owned(),
        };
        let value = Value {
            body: "[1]".to_owned(),
            validators: validators.clone(),
            age: Duration::from_secs(30),
            ..Value::default()
        };
        world.plan(Plan::Answer(Fetched::Value(value.clone())));
        let answer = world.read().await;
        assert!((30_000..31_000).contains(&answer.age_ms), "{answer:?}");
        world.plan(Plan::Answer(Fetched::Same(value)));
        let before: i64 = redis.run("PEXPIRETIME profile:7").await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how, answer.stored), ("[1]", How::Expired, true));
        assert_eq!(world.known.borrow().validators, validators);
        assert!(redis.run::<i64>("PEXPIRETIME profile:7").await >= before);
        let kept: String = redis.run_words(&["GET", &companion()]).await;
        assert!(kept.contains("W/\"v1\""), "{kept}");
    })
    .await;
}

#[tokio::test]
async fn validators_that_are_none_are_not_kept() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, NONE, LONG))).await;
        let good = "Sat, 21 Nov 2026";
        for bad in [
            "\"a\nb\"".to_owned(),
            "\"a\r\"".to_owned(),
            "\"a\0\"".to_owned(),
            "\"a\t\u{7f}\"".to_owned(),
            "\"\u{85}\"".to_owned(),
            format!("\"{}\"", "x".repeat(CACHE_VALIDATOR_BYTES_MAX - 1)),
        ] {
            let validators = Validators { etag: bad, last_modified: good.to_owned() };
            let value = Value { body: "[1]".to_owned(), validators, ..Value::default() };
            world.plan(Plan::Answer(Fetched::Value(value)));
            assert!(world.read().await.stored);
            assert!(world.read().await.stored);
            let known = world.known.borrow().validators.clone();
            assert_eq!((known.etag.as_str(), known.last_modified.as_str()), ("", good));
        }
        let longest = format!("\"{}\"", "x".repeat(CACHE_VALIDATOR_BYTES_MAX - 2));
        let validators = Validators { etag: longest.clone(), last_modified: "\n".to_owned() };
        let value = Value { body: "[1]".to_owned(), validators, ..Value::default() };
        world.plan(Plan::Answer(Fetched::Value(value)));
        world.read().await;
        world.read().await;
        let known = world.known.borrow().validators.clone();
        assert_eq!((known.etag, known.last_modified.as_str()), (longest, ""));
    })
    .await;
}

#[tokio::test]
async fn a_source_may_say_that_nothing_changed_and_forbid_keeping_it() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, NONE, LONG))).await;
        let validators = Validators { etag: "\"v1\"".to_owned(), ..Validators::default() };
        let value = Value { body: "[1]".to_owned(), validators, ..Value::default() };
        world.plan(Plan::Answer(Fetched::Value(value.clone())));
        assert!(world.read().await.stored);
        world.plan(Plan::Answer(Fetched::Same(Value { no_store: true, ..value })));
        let answer = world.read().await;
        let what = (text(&answer), answer.how, answer.stored, answer.ttl_ms);
        assert_eq!(what, ("[1]", How::Expired, false, 0));
        assert_eq!(redis.run::<i64>("EXISTS profile:7").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_must_not_be_stored_is_not_and_nobody_waits_for_it() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, NONE, LONG))).await;
        let value = Value { body: "[1]".to_owned(), no_store: true, ..Value::default() };
        world.plan(Plan::Answer(Fetched::Value(value)));
        assert!(!world.read().await.stored);
        assert_eq!(redis.run::<i64>("EXISTS profile:7").await, 0);
        world.takes.set(Duration::from_millis(200));
        let begun = Instant::now();
        let answers = super::crowd(&world, 20).await;
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "one after the other: {:?}",
            begun.elapsed()
        );
        assert!(answers.iter().all(|answer| answer.how == How::Bypass && text(answer) == "[1]"));
    })
    .await;
}
