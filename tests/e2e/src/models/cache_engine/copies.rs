//! Copies in an instance's memory: they cost Redis nothing, end in time, and change nothing else.

use std::time::{Duration, Instant};

use runtime::cache::{
    Answer, Content, FetchError, Fetched, How, Limits, Mode, Policy, Previous, Wanted,
};
use support::RedisServer;

use super::{LONG, Plan, TAG, World, companion, local, policy, text, windows};

const TIME: Duration = Duration::from_millis(600);

fn copied() -> Policy {
    policy(windows(LONG, LONG, LONG)).local(TIME)
}

/// Two instances, of which the first has a copy, and when it was made at the latest.
async fn pair(redis: &RedisServer) -> (World, World, Instant) {
    let (other, world) = (World::new(redis, copied()).await, World::new(redis, copied()).await);
    other.read().await;
    world.read().await;
    (world, other, Instant::now())
}

async fn commands(redis: &RedisServer) -> u64 {
    redis.calls("mget").await + redis.calls("evalsha").await
}

async fn page(world: &World) -> Answer {
    let fetch = async |_: Previous| -> Result<Fetched, FetchError> { panic!("it is fetched") };
    let wanted = Wanted { read: world.entry(), policy: &world.policy, fetch };
    let limits = Limits { bytes_max: 1_000, wait: Duration::from_secs(1) };
    world.cache.get_many(vec![wanted], limits).await.remove(0).unwrap()
}

#[tokio::test]
async fn reads_within_the_time_cost_redis_nothing() {
    let redis = RedisServer::start().await;
    local(async {
        let (world, _, begun) = pair(&redis).await;
        let _: String = redis.run("CONFIG RESETSTAT").await;
        let mut reads = 0;
        while begun.elapsed() < TIME / 2 {
            for answer in [world.read().await, page(&world).await] {
                assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Hit));
                assert!(answer.ttl_ms > 90_000 && answer.age_ms < 10_000, "{answer:?}");
            }
            reads += 1;
        }
        let Content::Json { etag, .. } = world.read().await.content else { panic!("no value") };
        let known = world.try_read(&format!("\"{etag}\"")).await.unwrap();
        assert_eq!(known.content, Content::Unchanged { etag });
        assert!(reads > 100, "{reads}");
        assert_eq!(commands(&redis).await, 0);
        // Once per time, and not more often.
        while begun.elapsed() < 3 * TIME {
            world.read().await;
        }
        let calls = commands(&redis).await;
        assert!((2..=4).contains(&calls), "{calls}");
        // Off unless a policy says so.
        let plain = world.with(policy(windows(LONG, LONG, LONG)));
        let before = commands(&redis).await;
        for _ in 0..5 {
            plain.read().await;
        }
        assert_eq!(commands(&redis).await - before, 5);
    })
    .await;
}

#[tokio::test]
async fn what_happens_elsewhere_takes_effect_within_the_time() {
    let redis = RedisServer::start().await;
    local(async {
        for how in ["key", "tag", "soft", "foreign", "delete"] {
            let _: String = redis.run("FLUSHALL").await;
            let (world, other, _) = pair(&redis).await;
            world.plan(Plan::Raw("[2]"));
            let entry = other.entry();
            match how {
                "key" => other.cache.invalidate(entry, &other.policy, Mode::Hard).await.unwrap(),
                "soft" => other.cache.invalidate(entry, &other.policy, Mode::Soft).await.unwrap(),
                "tag" => {
                    let tags = [TAG.to_owned()];
                    other.cache.invalidate_tags(&tags, Mode::Hard).await.unwrap();
                }
                "foreign" => {
                    let _: String = redis.run(r#"SET profile:7 [2] EX 50"#).await;
                }
                _ => {
                    let _: i64 = redis.run_words(&["DEL", "profile:7", companion().as_str()]).await;
                }
            }
            let done = Instant::now();
            loop {
                let begun = done.elapsed();
                if text(&world.read().await) == "[2]" {
                    break;
                }
                // The first read after a soft invalidation is stale, and refreshes.
                let limit = if how == "soft" { 2 * TIME } else { TIME };
                assert!(begun < limit, "{how}: {begun:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_instance_sees_its_own_invalidations_at_once() {
    let redis = RedisServer::start().await;
    local(async {
        let (world, _, _) = pair(&redis).await;
        world.plan(Plan::Raw("[2]"));
        world.cache.invalidate(world.entry(), &world.policy, Mode::Hard).await.unwrap();
        assert_eq!(text(&world.read().await), "[2]");
        world.read().await;
        world.plan(Plan::Raw("[3]"));
        world.cache.invalidate_tags(&[TAG.to_owned()], Mode::Hard).await.unwrap();
        assert_eq!(text(&world.read().await), "[3]");
    })
    .await;
}

#[tokio::test]
async fn a_copy_ends_with_the_freshness_and_one_reader_refreshes() {
    let redis = RedisServer::start().await;
    local(async {
        let short = policy(windows(Duration::from_millis(200), LONG, LONG));
        let world = World::new(&redis, short.local(Duration::from_secs(9))).await;
        world.read().await;
        let begun = Instant::now();
        while world.fetches.get() < 2 {
            assert!(begun.elapsed() < Duration::from_millis(1_000), "{:?}", begun.elapsed());
            let answer = world.read().await;
            assert!(answer.ttl_ms > 0 || text(&answer) == r#"{"n":1}"#, "{answer:?}");
            tokio::task::yield_now().await;
        }
        world.fetched(&redis, 2).await;
    })
    .await;
}
