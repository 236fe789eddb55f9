//! Presence with real hubs, real faults and the real times: true again within 20 s. The faults happen
//! at once, each to a Redis of its own, since most of them take time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Child;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::AsyncCommands as _;

use crate::process::binary as process;
use crate::support::{Client, RedisServer, token, until};

/// What the contract promises.
const CONTRACT: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(12);

/// A hub that can be killed.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(redis: &RedisServer) -> Self {
        let (child, address) = process::start(redis);
        Self { child, address: address.parse().unwrap() }
    }

    async fn connect(&self, user: &str) -> Client {
        Client::connect(self.address, &token(user), None).await.unwrap()
    }

    async fn connect_all(&self, users: &[String]) -> Vec<Client> {
        join_all(users.iter().map(|user| self.connect(user))).await
    }

    /// With -9.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn terminate(&mut self) {
        process::signal(i32::try_from(self.child.id()).unwrap(), libc::SIGTERM);
        until("the hub has ended", async || self.child.try_wait().unwrap().is_some()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn users(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("u{number}")).collect()
}

async fn online(redis: &RedisServer) -> BTreeSet<String> {
    redis.connection().await.smembers("online_users").await.unwrap()
}

/// Waits until exactly these are online, as long as the contract allows; tells the seconds.
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
        assert!(start.elapsed() < CONTRACT, "{fault}: {unexpected} are told wrong");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn names(users: &[String]) -> Vec<&str> {
    users.iter().map(String::as_str).collect()
}

async fn a_hub_killed_beside_another() {
    let redis = RedisServer::start().await;
    let (mut killed, left) = (Process::start(&redis), Process::start(&redis));
    let (all, half) = (users(1000), users(500));
    let _sockets = (killed.connect_all(&all).await, left.connect_all(&half).await);
    restored(&redis, "many come", &names(&all)).await;
    killed.kill();
    let watch = async {
        // Whom the other one holds is online all the time.
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
    let mut hub = Process::start(&redis);
    let users = users(100);
    let _sockets = hub.connect_all(&users).await;
    restored(&redis, "many come", &names(&users)).await;
    hub.kill();
    restored(&redis, "the only hub killed", &[]).await;
}

async fn a_hub_killed_and_started_again() {
    let redis = RedisServer::start().await;
    let mut hub = Process::start(&redis);
    let _sockets = (hub.connect("alice").await, hub.connect("bob").await);
    redis.command(&["SADD", "online_users", "theirs"]).await;
    restored(&redis, "some come", &["alice", "bob", "theirs"]).await;
    hub.kill();
    let again = Process::start(&redis);
    let _alice = again.connect("alice").await;
    restored(&redis, "hub killed and started again", &["alice", "theirs"]).await;
}

async fn redis_flushed() {
    let redis = RedisServer::start().await;
    let hub = Process::start(&redis);
    let users = users(100);
    let _sockets = hub.connect_all(&users).await;
    restored(&redis, "many come", &names(&users)).await;
    redis.command(&["FLUSHALL"]).await;
    restored(&redis, "Redis flushed", &names(&users)).await;
}

async fn redis_killed_and_started_empty() {
    let mut redis = RedisServer::start().await;
    let hub = Process::start(&redis);
    let users = users(100);
    let _sockets = hub.connect_all(&users).await;
    restored(&redis, "many come", &names(&users)).await;
    redis.kill();
    redis.run().await;
    restored(&redis, "Redis killed and started empty", &names(&users)).await;
}

async fn redis_paused_for_longer_than_a_lease() {
    let redis = RedisServer::start().await;
    let (first, second) = (Process::start(&redis), Process::start(&redis));
    let _alice = first.connect("alice").await;
    let bob = first.connect("bob").await;
    let _carol = second.connect("carol").await;
    restored(&redis, "some come", &["alice", "bob", "carol"]).await;
    redis.signal(libc::SIGSTOP);
    drop(bob);
    let _dave = second.connect("dave").await;
    // This is the fault itself.
    tokio::time::sleep(LEASE + Duration::from_secs(2)).await;
    redis.signal(libc::SIGCONT);
    restored(&redis, "Redis paused for 14 s", &["alice", "carol", "dave"]).await;
}

async fn others_take_users_out() {
    let redis = RedisServer::start().await;
    let hub = Process::start(&redis);
    let users = users(1500);
    let _sockets = hub.connect_all(&users).await;
    restored(&redis, "many come", &names(&users)).await;
    let taken: Vec<&str> = users.iter().step_by(100).map(String::as_str).collect();
    redis.command(&[&["SREM", "online_users"], &taken[..]].concat()).await;
    restored(&redis, "15 of 1,500 taken out by others", &names(&users)).await;
    redis.command(&["DEL", "online_users"]).await;
    restored(&redis, "all 1,500 taken out by others", &names(&users)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn true_again_within_20_s() {
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
async fn a_clean_end_leaves_what_others_hold_for_good() {
    let redis = RedisServer::start().await;
    redis.command(&["SADD", "online_users", "theirs"]).await;
    let (mut first, mut second) = (Process::start(&redis), Process::start(&redis));
    let on_first = first.connect_all(&["alice".to_owned(), "bob".to_owned()]).await;
    let on_second = second.connect("alice").await;
    restored(&redis, "some come", &["alice", "bob", "theirs"]).await;
    drop(on_first);
    restored(&redis, "a hub lost its sockets", &["alice", "theirs"]).await;
    first.terminate().await;
    assert_eq!(online(&redis).await, BTreeSet::from(["alice".to_owned(), "theirs".to_owned()]));
    drop(on_second);
    second.terminate().await;
    assert_eq!(online(&redis).await, BTreeSet::from(["theirs".to_owned()]));
    let mut connection = redis.connection().await;
    let ttl_ms: i64 = connection.pttl("online_users").await.unwrap();
    assert_eq!(ttl_ms, -1);
    let companions: Vec<String> = connection.keys("bw:*").await.unwrap();
    assert!(companions.is_empty(), "{companions:?}");
}
