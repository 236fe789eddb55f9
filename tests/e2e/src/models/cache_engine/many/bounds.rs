//! Many values at once: what they cost, and what a slow source or a limit does to the others.

use std::time::{Duration, Instant};

use runtime::cache::{CacheRead, Content, FetchError, How, Limits, Mode, Policy, Unanswered};
use support::RedisServer;

use super::super::{LONG, local, policy, windows};
use super::{LIMITS, Place, Source, tags};

/// Values that are stored, read by an instance that has not seen them.
async fn stored(redis: &RedisServer, count: usize) -> (Place, Vec<(String, Policy)>) {
    let policy = policy(windows(LONG, LONG, LONG));
    let reader = Place::new(redis, u64::from(redis.pid()) << 20 | 1).await;
    let other = reader.other(redis, u64::from(redis.pid()) << 20 | 2).await;
    let wanted: Vec<_> = (0..count).map(|at| (format!("v:{at}"), policy.clone())).collect();
    for (key, policy) in &wanted {
        other.alone(key, policy).await.unwrap();
    }
    (reader, wanted)
}

#[tokio::test]
async fn fresh_values_cost_one_command_and_the_time_once() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 40).await;
        let _: String = redis.run("CONFIG RESETSTAT").await;
        for round in 1..=5 {
            for found in reader.together(&wanted, LIMITS).await {
                assert_eq!(found.unwrap().how, How::Hit);
            }
            assert_eq!((redis.calls("mget").await, redis.calls("time").await), (round, 1));
        }
        assert_eq!(redis.calls("evalsha").await, 0);
        // A read alone needs no script for what a page has seen.
        assert_eq!(reader.alone("v:7", &wanted[7].1).await.unwrap().how, How::Hit);
        assert_eq!((redis.calls("mget").await, redis.calls("evalsha").await), (6, 0));
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_before_the_read_is_never_missed() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 8).await;
        let mut served_stale = 0;
        for round in 0..60 {
            // Seen and not seen, by key and by tag, soft and hard.
            let at = round % 8;
            let (key, policy) = &wanted[at];
            let tags = tags(key);
            let mode = if round % 3 == 0 { Mode::Soft } else { Mode::Hard };
            if round % 2 == 0 {
                let read = CacheRead { key, tags: &tags, if_none_match: "" };
                reader.cache.invalidate(read, policy, mode).await.unwrap();
            } else {
                reader.cache.invalidate_tags(&tags[..1], mode).await.unwrap();
            }
            let reader = match round % 5 {
                0 => reader.other(&redis, 1_000 + round as u64).await,
                _ => reader.clone(),
            };
            let found = reader.together(&wanted, LIMITS).await;
            let answer = found[at].clone().unwrap();
            let is_stale = answer.how == How::Hit && answer.ttl_ms <= 0;
            // A value made in the millisecond of a hard invalidation is not told from an older one.
            let is_refetched = answer.how == How::Miss;
            let is_right = is_refetched || (is_stale && mode == Mode::Soft);
            assert!(is_right, "{round}, {mode:?}: {answer:?}");
            served_stale += usize::from(is_stale);
            support::eventually("it is refreshed", async || {
                (reader.alone(key, policy).await.unwrap().ttl_ms > 0).then_some(())
            })
            .await;
        }
        assert!(served_stale > 0, "a soft invalidation removed every value");
    })
    .await;
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_answered_and_goes_on() {
    let redis = RedisServer::start().await;
    local(async {
        let reader = Place::new(&redis, u64::from(redis.pid()) << 20 | 1).await;
        let policy = policy(windows(LONG, LONG, LONG));
        reader.source("v:1", Source::Takes(500));
        let wanted: Vec<_> = (0..3).map(|at| (format!("v:{at}"), policy.clone())).collect();
        let limits = Limits { wait: Duration::from_millis(100), ..LIMITS };
        let begun = Instant::now();
        let found = reader.together(&wanted, limits).await;
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
        let late = found[1].clone().unwrap();
        assert_eq!(late.content, Content::Failed(FetchError::TimedOut));
        assert!(found[0].as_ref().unwrap().stored && found[2].as_ref().unwrap().stored);
        support::eventually("it is stored all the same", async || {
            (redis.run::<i64>("EXISTS v:1").await == 1).then_some(())
        })
        .await;
        let found = reader.together(&wanted, limits).await;
        assert!(found.iter().all(|it| it.as_ref().unwrap().how == How::Hit), "{found:?}");
        assert_eq!(reader.fetches_of("v:1"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_source_that_hangs_holds_up_nobody_beyond_its_timeout() {
    let redis = RedisServer::start().await;
    local(async {
        let reader = Place::new(&redis, u64::from(redis.pid()) << 20 | 1).await;
        let policy = policy(windows(LONG, LONG, LONG));
        let wanted: Vec<_> = (0..40).map(|at| (format!("v:{at}"), policy.clone())).collect();
        reader.source("v:0", Source::Hangs);
        reader.source("v:1", Source::Fails);
        let begun = Instant::now();
        let found = reader.together(&wanted, LIMITS).await;
        // Its timeout is 600 ms.
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
        let failed = |at: usize| match &found[at].as_ref().unwrap().content {
            Content::Failed(error) => error.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(0), FetchError::TimedOut);
        assert!(matches!(failed(1), FetchError::Failed(_)));
        assert!(found[2..].iter().all(|it| it.as_ref().unwrap().stored));
    })
    .await;
}

#[tokio::test]
async fn values_beyond_the_limit_are_left_out() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 4).await;
        let bytes = reader.alone("v:0", &wanted[0].1).await.unwrap();
        let Content::Json { body, .. } = bytes.content else { panic!("no value") };
        let limits = Limits { bytes_max: 2 * body.len() + 1, ..LIMITS };
        let found = reader.together(&wanted, limits).await;
        assert!(found[..2].iter().all(Result::is_ok), "{found:?}");
        assert!(found[2..].iter().all(|it| *it == Err(Unanswered::TooLarge)), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn without_redis_each_source_is_asked_once() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 20).await;
        redis.kill();
        let found = reader.together(&wanted, LIMITS).await;
        assert!(found.iter().all(|it| it.as_ref().unwrap().how == How::Bypass), "{found:?}");
        assert!(wanted.iter().all(|(key, _)| reader.fetches_of(key) == 2));
    })
    .await;
}
