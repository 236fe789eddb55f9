//! Redis away, hanging, full, read-only; companions and tags that were evicted.

use std::time::Duration;

use support::RedisServer;

use super::{World, nth, setup};

#[tokio::test]
async fn without_redis_the_source_answers() {
    let world = World::start().await;
    world.get("fresh").await.expect(200);
    world.redis.kill();
    let answer = world.get("fresh").await.expect(200).within(Duration::from_secs(4));
    assert_eq!(answer.text(), nth(2));
    assert!(answer.header("cache-status").starts_with("bellwire; fwd=bypass"), "{answer:?}");
    let token = support::token("svc", "cache:write");
    let delete = world.functions.call("DELETE", "/cache/fresh").token(&token).send().await;
    delete.expect_problem(503, "redis_unavailable");
    world.redis.restart().await;
    assert_eq!(world.get("fresh").await.expect(200).text(), nth(3));
    let hit = world.get("fresh").await.expect(200);
    assert!(hit.header("cache-status").starts_with("bellwire; hit"), "{hit:?}");
}

#[tokio::test]
async fn a_redis_that_hangs_costs_its_deadline() {
    let world = World::start().await;
    world.get("fresh").await.expect(200);
    world.redis.pause();
    let answer = world.get("fresh").await.expect(200).within(Duration::from_secs(4));
    assert_eq!(answer.text(), nth(2));
    world.redis.resume();
    assert_eq!(world.get("fresh").await.expect(200).text(), nth(1));
}

#[tokio::test]
async fn a_full_redis_serves_what_it_has_and_the_source_the_rest() {
    let world = World::start().await;
    world.get("fresh").await.expect(200);
    let _: String = world.redis.run("CONFIG SET maxmemory 1").await;
    assert_eq!(world.get("fresh").await.expect(200).text(), nth(1));
    let bypass = world.get("item/1").await.expect(200);
    assert!(bypass.header("cache-status").starts_with("bellwire; fwd=bypass"), "{bypass:?}");
    let _: String = world.redis.run("CONFIG SET maxmemory 0").await;
    let stored = world.get("item/1").await.expect(200);
    assert!(stored.header("cache-status").contains("stored"), "{stored:?}");
}

#[tokio::test]
async fn a_replica_serves_what_it_has_and_the_source_the_rest() {
    let (world, replica) = (World::start().await, RedisServer::start().await);
    world.get("fresh").await.expect(200);
    let address = world.redis.address();
    let (host, port) = address.split_once(':').unwrap();
    let _: String = replica.run(&format!("REPLICAOF {host} {port}")).await;
    support::eventually("it is replicated", async || {
        (replica.run::<i64>("EXISTS fresh").await == 1).then_some(())
    })
    .await;
    let functions = setup(&replica, &world.origin).start().await;
    let hit = functions.get("/cache/fresh").send().await.expect(200);
    assert_eq!(hit.text(), nth(1));
    let bypass = functions.get("/cache/item/1").send().await.expect(200);
    assert!(bypass.header("cache-status").starts_with("bellwire; fwd=bypass"), "{bypass:?}");
    // It becomes the master: nothing needs a restart.
    let _: String = replica.run("REPLICAOF NO ONE").await;
    let stored = functions.get("/cache/item/1").send().await.expect(200);
    assert!(stored.header("cache-status").contains("stored"), "{stored:?}");
}

#[tokio::test]
async fn lost_companions_and_tags_bring_nothing_back() {
    let world = World::start().await;
    world.get("item/1").await.expect(200);
    let del = async |key: String| world.redis.run_words::<i64>(&["DEL", &key]).await;
    assert_eq!(del(shared::keys::cache_companion("item:1")).await, 1);
    assert_eq!(world.get("item/1").await.expect(200).text(), nth(1), "as another service's");
    let token = support::token("svc", "cache:write");
    let call = world.functions.post("/cache/invalidate", r#"{"tags":["item:1"]}"#);
    call.token(&token).send().await.expect(200);
    assert_eq!(del(shared::keys::cache_tag("item:1")).await, 1);
    assert_eq!(world.get("item/1").await.expect(200).text(), nth(2));
}

#[tokio::test]
async fn companions_that_became_something_else_are_replaced_and_the_log_says_so() {
    let world = World::start().await;
    let lease = shared::keys::cache_lease("fresh");
    let _: i64 = world.redis.run_words(&["LPUSH", &lease, "x"]).await;
    let answer = world.get("fresh").await.expect(200).within(Duration::from_secs(1));
    assert_eq!(answer.text(), nth(1));
    assert_eq!(world.redis.run_words::<i64>(&["EXISTS", &lease]).await, 0);
    support::eventually("the log says so", async || {
        world.functions.output().contains("companion_replaced").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replaced_value_that_is_no_json_is_not_served() {
    let world = World::start().await;
    world.get("fresh").await.expect(200);
    let _: String = world.redis.run("SET fresh garbage KEEPTTL").await;
    assert_eq!(world.get("fresh").await.expect(200).text(), nth(2));
}

#[tokio::test]
async fn other_services_values_are_served_and_foreign_types_refused() {
    let world = World::start().await;
    let _: String = world.redis.run(r#"SET fresh {"theirs":[]} EX 4500"#).await;
    let answer = world.get("fresh").await.expect(200);
    assert_eq!(answer.text(), r#"{"theirs":[]}"#);
    assert!(answer.header("cache-status").starts_with("bellwire; hit; ttl="), "{answer:?}");
    assert_eq!(world.origin.count(), 0);
    let _: String = world.redis.run(r#"SET fresh not-json EX 50"#).await;
    assert_eq!(world.get("fresh").await.expect(200).text(), nth(1));
    let _: String = world.redis.run(r#"SET stale {"theirs":1}"#).await;
    assert_eq!(world.get("stale").await.expect(200).text(), r#"{"theirs":1}"#);
    assert!(world.redis.run::<i64>("TTL stale").await > 0);
    let _: i64 = world.redis.run("RPUSH item:list x").await;
    let _: i64 = world.redis.run("EXPIRE item:list 50").await;
    world.get("item/list").await.expect_problem(409, "wrong_type");
}
