//! Presence with real hubs, real faults and real times: correct again within 20 s. The faults run at
//! the same time, each on a Redis of its own, since most of them take long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::AsyncCommands as _;

use crate::support::{Client, Program, RedisServer, SOON};

/// The contract's limit.
const CONTRACT: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(12);

async fn connect_all(hub: &Program, users: &[String]) -> Vec<Client> {
    join_all(users.iter().map(|user| hub.connect(user))).await
}

async fn terminate(hub: &Program) {
    assert!(hub.terminate(SOON).await.success());
}

fn users(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("u{number}")).collect()
}

async fn online(redis: &RedisServer) -> BTreeSet<String> {
    redis.connection().await.smembers("online_users").await.unwrap()
}

/// Waits until exactly these users are online, at most for the contract's time; prints the seconds.
async fn restored(redis: &RedisServer, fault: &str, users: &[&str]) {
    let start = Instant::now();
    let expected: BTreeSet<String> = users.iter().map(|user| (*user).to_owned()).collect();
    loop {
        let online = online(redis).await;
        if online == expected {
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("{seconds:>6.2} s  {fault}");
            return;
        }
        let unexpected = online.symmetric_difference(&expected).count();
        assert!(start.elapsed() < CONTRACT, "{fault}: {unexpected} users are wrong");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn names(users: &[String]) -> Vec<&str> {
    users.iter().map(String::as_str).collect()
}

async fn a_hub_killed_beside_another() {
    let redis = RedisServer::start().await;
    let (killed, left) = (Program::start(&redis).await, Program::start(&redis).await);
    let (all, half) = (users(1000), users(500));
    let _sockets = (connect_all(&killed, &all).await, connect_all(&left, &half).await);
    restored(&redis, "many come", &names(&all)).await;
    killed.kill();
    let watch = async {
        // Users with a socket on the other hub are online all the time.
        loop {
            let mut connection = redis.connection().await;
            let held: Vec<bool> = connection.smismember("online_users", &half).await.unwrap();
            assert!(held.iter().all(|is_online| *is_online));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let half = names(&half);
    tokio::select! {
        () = restored(&redis, "hub killed, 1,000 sockets, half of them elsewhere", &half) => {}
        () = watch => unreachable!(),
    }
}

async fn the_only_hub_killed() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    let users = users(100);
    let _sockets = connect_all(&hub, &users).await;
    restored(&redis, "many come", &names(&users)).await;
    hub.kill();
    restored(&redis, "the only hub killed", &[]).await;
}

async fn a_hub_killed_and_started_again() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    let _sockets = (hub.connect("alice").await, hub.connect("bob").await);
    redis.command(&["SADD", "online_users", "theirs"]).await;
    restored(&redis, "some come", &["alice", "bob", "theirs"]).await;
    hub.kill();
    let again = Program::start(&redis).await;
    let _alice = again.connect("alice").await;
    restored(&redis, "hub killed and started again", &["alice", "theirs"]).await;
}

async fn redis_flushed() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    let users = users(100);
    let _sockets = connect_all(&hub, &users).await;
    restored(&redis, "many come", &names(&users)).await;
    redis.command(&["FLUSHALL"]).await;
    restored(&redis, "Redis flushed", &names(&users)).await;
}

async fn redis_killed_and_started_empty() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    let users = users(100);
    let _sockets = connect_all(&hub, &users).await;
    restored(&redis, "many come", &names(&users)).await;
    redis.kill();
    redis.restart().await;
    restored(&redis, "Redis killed and started empty", &names(&users)).await;
}

async fn redis_paused_for_longer_than_a_lease() {
    let redis = RedisServer::start().await;
    let (first, second) = (Program::start(&redis).await, Program::start(&redis).await);
    let _alice = first.connect("alice").await;
    let bob = first.connect("bob").await;
    let _carol = second.connect("carol").await;
    restored(&redis, "some come", &["alice", "bob", "carol"]).await;
    redis.pause();
    drop(bob);
    let _dave = second.connect("dave").await;
    // The sleep is the fault.
    tokio::time::sleep(LEASE + Duration::from_secs(2)).await;
    redis.resume();
    restored(&redis, "Redis paused for 14 s", &["alice", "carol", "dave"]).await;
}

async fn others_take_users_out() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    let users = users(1500);
    let _sockets = connect_all(&hub, &users).await;
    restored(&redis, "many come", &names(&users)).await;
    let taken: Vec<&str> = users.iter().step_by(100).map(String::as_str).collect();
    redis.command(&[&["SREM", "online_users"], &taken[..]].concat()).await;
    restored(&redis, "15 of 1,500 taken out by others", &names(&users)).await;
    redis.command(&["DEL", "online_users"]).await;
    restored(&redis, "all 1,500 taken out by others", &names(&users)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_correct_again_within_20_s() {
    tokio::join!(
        a_hub_killed_beside_another(),
        the_only_hub_killed(),
        a_hub_killed_and_started_again(),
        redis_flushed(),
        redis_killed_and_started_empty(),
        redis_paused_for_longer_than_a_lease(),
        others_take_users_out(),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_end_leaves_the_users_of_others_online() {
    let redis = RedisServer::start().await;
    redis.command(&["SADD", "online_users", "theirs"]).await;
    let (first, second) = (Program::start(&redis).await, Program::start(&redis).await);
    let on_first = connect_all(&first, &["alice".to_owned(), "bob".to_owned()]).await;
    let on_second = second.connect("alice").await;
    restored(&redis, "some come", &["alice", "bob", "theirs"]).await;
    drop(on_first);
    restored(&redis, "a hub lost its sockets", &["alice", "theirs"]).await;
    terminate(&first).await;
    assert_eq!(online(&redis).await, BTreeSet::from(["alice".to_owned(), "theirs".to_owned()]));
    drop(on_second);
    terminate(&second).await;
    assert_eq!(online(&redis).await, BTreeSet::from(["theirs".to_owned()]));
    let mut connection = redis.connection().await;
    let ttl_ms: i64 = connection.pttl("online_users").await.unwrap();
    assert_eq!(ttl_ms, -1);
    let companions: Vec<String> = connection.keys("bw:*").await.unwrap();
    assert!(companions.is_empty(), "{companions:?}");
}
