//! What other services, another server's clock and a full Redis do to the keys of presence.

use std::collections::BTreeSet;

use redis::AsyncCommands as _;
use shared::keys::{ONLINE_USERS, PRESENCE_LEASES, PRESENCE_REVS};

use super::{FAST, Member, cost, online};
use crate::support::{RedisServer, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_another_service_who_connects_after_the_last_hub_died_stays_online() {
    let redis = RedisServer::start().await;
    let dead = Member::new(&redis, FAST);
    dead.join("alice");
    dead.sync(true).await;
    until("the set has expired", async || online(&redis).await.is_empty()).await;
    redis.command(&["SADD", ONLINE_USERS, "alice"]).await;
    let next = Member::new(&redis, FAST);
    next.sync(true).await;
    next.sync(true).await;
    assert_eq!(online(&redis).await, BTreeSet::from(["alice".to_owned()]));
    assert_eq!(redis.connection().await.zcard(PRESENCE_LEASES).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_hub_whose_lease_ends_too_late_is_dead_after_one_lease() {
    let redis = RedisServer::start().await;
    let (dead, alive) = (Member::new(&redis, FAST), Member::new(&redis, FAST));
    for (member, user) in [(&dead, "alice"), (&alive, "bob")] {
        member.join(user);
        member.sync(true).await;
    }
    // As after a failover to a server whose clock is far behind.
    let ids: Vec<String> = redis.connection().await.zrange(PRESENCE_LEASES, 0, -1).await.unwrap();
    for id in &ids {
        redis.command(&["ZADD", PRESENCE_LEASES, "9999999999999", id]).await;
    }
    until("alice is offline", async || {
        alive.sync(true).await;
        !online(&redis).await.contains("alice")
    })
    .await;
    assert_eq!(online(&redis).await, BTreeSet::from(["bob".to_owned()]));
    let left_ms: i64 = redis.connection().await.pttl(ONLINE_USERS).await.unwrap();
    assert!((1..=1_000).contains(&left_ms), "{left_ms}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_wrong_type_does_no_harm() {
    let redis = RedisServer::start().await;
    let member = Member::new(&redis, FAST);
    let work = member.work();
    member.join("alice");
    let is_alice_online = async || online(&redis).await.contains("alice");
    until("alice is online", is_alice_online).await;
    for key in [ONLINE_USERS, PRESENCE_LEASES, PRESENCE_REVS] {
        redis.command(&["SET", key, "text"]).await;
        redis.command(&["CONFIG", "RESETSTAT"]).await;
        until("it is tried again", async || cost(&redis, "evalsha").await.0 >= 3).await;
        let error = member.presence.sync(&*member.redis, &*member, true).await.unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
        let value: String = redis.connection().await.get(key).await.unwrap();
        assert_eq!(value, "text");
        redis.command(&["DEL", key]).await;
        until("alice is online again", is_alice_online).await;
    }
    work.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_stays_correct_on_a_redis_without_memory() {
    let redis = RedisServer::start().await;
    let member = Member::new(&redis, FAST);
    redis.command(&["SADD", ONLINE_USERS, "theirs"]).await;
    member.join("alice");
    member.sync(true).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused: redis::RedisResult<()> = redis.connection().await.set("x", "y").await;
    assert!(refused.is_err());
    member.join("bob");
    member.leave("alice");
    member.sync(true).await;
    let expected = ["bob", "theirs"].map(ToOwned::to_owned);
    assert_eq!(online(&redis).await, BTreeSet::from(expected));
    member.presence.leave(&*member.redis).await.unwrap();
    assert_eq!(online(&redis).await, BTreeSet::from(["theirs".to_owned()]));
}
