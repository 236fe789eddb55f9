//! Redis away, full, or a replica: reads keep working.

use std::rc::Rc;
use std::time::{Duration, Instant};

use runtime::cache::{How, Mode};
use runtime::ports::redis::RedisError;
use support::RedisServer;
use tokio::sync::Notify;

use super::{LONG, NONE, Plan, World, local, policy, text, windows};

#[tokio::test]
async fn without_redis_the_source_answers() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(LONG, NONE, LONG))).await;
        world.read().await;
        redis.kill();
        let begun = Instant::now();
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":2}"#, How::Bypass));
        assert!(begun.elapsed() < Duration::from_secs(5));
    })
    .await;
}

#[tokio::test]
async fn a_full_redis_serves_what_it_has_and_the_source_the_rest() {
    let redis = RedisServer::start().await;
    local(async {
        let world = World::new(&redis, policy(windows(NONE, LONG, LONG))).await;
        world.read().await;
        let _: String = redis.run("CONFIG SET maxmemory 1").await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Hit));
        let fresh = world.with(policy(windows(LONG, NONE, NONE)));
        assert_eq!(redis.run::<i64>("DEL profile:7").await, 1);
        let answer = fresh.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":2}"#, How::Bypass));
        let _: String = redis.run("CONFIG SET maxmemory 0").await;
        assert!(fresh.read().await.stored);
    })
    .await;
}

#[tokio::test]
async fn a_full_redis_takes_no_late_write_and_keeps_the_value() {
    let redis = RedisServer::start().await;
    local(async {
        // The reader waits for its fetch, which goes on once Redis is full.
        let patient = policy(windows(NONE, NONE, LONG)).soft_timeout(LONG).timeout(LONG);
        let world = World::new(&redis, patient).await;
        world.read().await;
        let gate = Rc::new(Notify::new());
        world.plan(Plan::Gate(Rc::clone(&gate)));
        let (reader, filled) = tokio::join!(world.read(), async {
            support::eventually("a fetch", async || (world.fetches.get() == 2).then_some(())).await;
            let filled = redis.run::<String>("CONFIG SET maxmemory 1").await;
            gate.notify_one();
            filled
        });
        assert_eq!((text(&reader), reader.stored, filled.as_str()), (r#"{"n":2}"#, false, "OK"));
        assert_eq!(redis.run::<String>("GET profile:7").await, r#"{"n":1}"#);
    })
    .await;
}

#[tokio::test]
async fn a_replica_serves_what_it_has_and_the_source_the_rest() {
    let (master, redis) = (RedisServer::start().await, RedisServer::start().await);
    local(async {
        let on_master = World::new(&master, policy(windows(NONE, LONG, LONG))).await;
        on_master.read().await;
        let address = master.address();
        let (host, port) = address.split_once(':').unwrap();
        let _: String = redis.run(&format!("REPLICAOF {host} {port}")).await;
        support::eventually("it is replicated", async || {
            let there: i64 = redis.run("EXISTS profile:7").await;
            (there == 1).then_some(())
        })
        .await;
        let world = World::new(&redis, policy(windows(NONE, LONG, LONG))).await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Hit));
        assert_eq!(world.fetches.get(), 0, "nobody refreshes what nobody can write");
        assert_eq!(master.run::<i64>("DEL profile:7").await, 1);
        support::eventually("it is gone here, too", async || {
            let there: i64 = redis.run("EXISTS profile:7").await;
            (there == 0).then_some(())
        })
        .await;
        let answer = world.read().await;
        assert_eq!((text(&answer), answer.how), (r#"{"n":1}"#, How::Bypass));
        let refused = world.cache.invalidate(world.entry(), &world.policy, Mode::Hard).await;
        assert!(matches!(refused, Err(RedisError::Unavailable(_))), "{refused:?}");
    })
    .await;
}
