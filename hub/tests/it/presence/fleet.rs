//! Presence of several hubs on one Redis, without sockets, and its cost.

mod foreign;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hub::config::{PresencePace, RedisTarget};
use hub::presence::{Presence, Users};
use hub::redis::commands::commands;
use native::redis::Commands;
use parking_lot::Mutex;
use redis::AsyncCommands as _;
use shared::UserId;
use shared::keys::{ONLINE_USERS, PRESENCE_LEASES};
use tokio::task::JoinHandle;

use crate::support::{RedisServer, until};

const FAST: PresencePace = PresencePace {
    beat: Duration::from_millis(200),
    lease: Duration::from_millis(600),
    expiry: Duration::from_millis(1_000),
};

/// A hub reduced to its presence.
struct Member {
    presence: Presence,
    redis: Arc<Commands>,
    users: Mutex<BTreeSet<UserId>>,
}

impl Users for Member {
    fn parts(&self) -> impl Iterator<Item = Vec<UserId>> + Send {
        let users: Vec<UserId> = self.users.lock().iter().cloned().collect();
        std::iter::once(users)
    }
}

impl Member {
    fn new(redis: &RedisServer, pace: PresencePace) -> Arc<Self> {
        let topology = RedisTarget::parse(&redis.url()).unwrap().topology();
        let redis = commands(topology, Arc::default(), Arc::default());
        Arc::new(Self {
            presence: Presence::new(pace, Arc::default()),
            redis,
            users: Mutex::default(),
        })
    }

    fn join(&self, name: &str) {
        let user = UserId::parse(name).unwrap();
        let mut users = self.users.lock();
        if users.insert(user.clone()) {
            self.presence.set(&user, true);
        }
    }

    fn leave(&self, name: &str) {
        let user = UserId::parse(name).unwrap();
        let mut users = self.users.lock();
        if users.remove(&user) {
            self.presence.set(&user, false);
        }
    }

    async fn sync(&self, is_beat: bool) {
        self.presence.sync(&*self.redis, self, is_beat).await.unwrap();
    }

    fn work(self: &Arc<Self>) -> JoinHandle<()> {
        let this = self.clone();
        tokio::spawn(async move { this.presence.work(&*this.redis, &*this).await })
    }
}

async fn online(redis: &RedisServer) -> BTreeSet<String> {
    redis.connection().await.smembers(ONLINE_USERS).await.unwrap()
}

/// Calls of a command since the last reset, and their total time in microseconds.
async fn cost(redis: &RedisServer, command: &str) -> (u64, f64) {
    let mut connection = redis.connection().await;
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
    let field = |name: &str| {
        let mut fields = line.unwrap_or("calls=0,usec=0").split(',');
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned()
    };
    (field("calls").parse().unwrap(), field("usec").parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_converges_to_the_right_set() {
    let redis = RedisServer::start().await;
    let members: Vec<_> = (0..6).map(|_| Member::new(&redis, FAST)).collect();
    let works: Vec<_> = members.iter().map(Member::work).collect();
    let changing = members.iter().cloned().map(|member| {
        tokio::spawn(async move {
            for _ in 0..2_000 {
                let user = format!("u{}", fastrand::u32(..40));
                if fastrand::bool() {
                    member.join(&user)
                } else {
                    member.leave(&user)
                }
                if fastrand::u32(..20) == 0 {
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
                }
            }
        })
    });
    let changing: Vec<_> = changing.collect();
    let mut connection = redis.connection().await;
    for round in 0..60 {
        let user = format!("u{}", fastrand::u32(..40));
        let _: () = connection.srem(ONLINE_USERS, &user).await.unwrap();
        if round % 20 == 10 {
            redis.command(&["FLUSHALL"]).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Two hubs are killed, with their last calls possibly still running.
    works[0].abort();
    works[1].abort();
    for task in changing {
        task.await.unwrap();
    }
    let _: () = connection.sadd(ONLINE_USERS, "theirs").await.unwrap();
    let mut expected = BTreeSet::from(["theirs".to_owned()]);
    for member in &members[2..] {
        expected.extend(member.users.lock().iter().map(ToString::to_string));
    }
    until("exactly those are online", async || online(&redis).await == expected).await;
    // Until then the dead hubs count as alive, and their users may be the same.
    let mut leases = connection.clone();
    until("the dead are taken out", async || leases.zcard(PRESENCE_LEASES).await == Ok(4)).await;
    for (member, work) in members.iter().zip(&works).skip(2) {
        work.abort();
        member.presence.leave(&*member.redis).await.unwrap();
    }
    assert_eq!(online(&redis).await, BTreeSet::from(["theirs".to_owned()]));
    let ttl_ms: i64 = connection.pttl(ONLINE_USERS).await.unwrap();
    assert_eq!(ttl_ms, -1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_beat_removes_the_many_users_of_a_dead_hub() {
    let redis = RedisServer::start().await;
    let (dead, alive) = (Member::new(&redis, FAST), Member::new(&redis, FAST));
    for number in 0..2_600 {
        dead.join(&format!("u{number}"));
    }
    dead.sync(true).await;
    alive.join("u7");
    alive.sync(true).await;
    assert_eq!(online(&redis).await.len(), 2_600);
    until("its lease has run out", async || {
        let mut connection = redis.connection().await;
        let (seconds, micros): (u64, u64) =
            redis::cmd("TIME").query_async(&mut connection).await.unwrap();
        let now_ms = seconds * 1000 + micros / 1000;
        let over: usize = connection.zcount(PRESENCE_LEASES, "-inf", now_ms).await.unwrap();
        over > 0
    })
    .await;
    alive.sync(true).await;
    assert_eq!(online(&redis).await, BTreeSet::from(["u7".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_without_users_never_remove_the_users_of_others() {
    let redis = RedisServer::start().await;
    redis.command(&["SADD", ONLINE_USERS, "theirs"]).await;
    let member = Member::new(&redis, FAST);
    let ttl_ms = async || -> i64 { redis.connection().await.pttl(ONLINE_USERS).await.unwrap() };
    member.sync(true).await;
    assert_eq!(ttl_ms().await, -1);
    member.join("alice");
    member.sync(false).await;
    assert!((1..=1_000).contains(&ttl_ms().await));
    member.leave("alice");
    member.sync(false).await;
    assert_eq!(ttl_ms().await, -1);
    assert_eq!(online(&redis).await, BTreeSet::from(["theirs".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_users_redis_evicted_writes_them_again() {
    let redis = RedisServer::start().await;
    let (first, second) = (Member::new(&redis, FAST), Member::new(&redis, FAST));
    for member in [&first, &second] {
        member.join("alice");
        member.sync(true).await;
    }
    let sets: Vec<String> = redis.connection().await.keys("bw:hub:*").await.unwrap();
    assert_eq!(sets.len(), 2);
    let _: () = redis.connection().await.del(sets).await.unwrap();
    first.sync(true).await;
    second.sync(true).await;
    second.leave("alice");
    second.sync(false).await;
    assert_eq!(online(&redis).await, BTreeSet::from(["alice".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_few_and_short() {
    let redis = RedisServer::start().await;
    let member = Member::new(&redis, PresencePace::default());
    member.sync(true).await;
    let names: Vec<String> = (0..20_000).map(|number| format!("user-{number}")).collect();
    for (page, count) in [(1, 2_000), (100, 20_000), (1_000, 20_000)] {
        for is_join in [true, false] {
            redis.command(&["CONFIG", "RESETSTAT"]).await;
            for names in names[..count].chunks(page) {
                for name in names {
                    if is_join { member.join(name) } else { member.leave(name) }
                }
                member.sync(false).await;
            }
            let (calls, micros) = cost(&redis, "evalsha").await;
            assert_eq!(calls, (count / page) as u64);
            let what = if is_join { "join" } else { "leave" };
            eprintln!("{what}, {page} at once: {:.2} us of Redis each", micros / count as f64);
        }
    }
    for name in &names {
        member.join(name);
    }
    member.sync(false).await;
    redis.command(&["CONFIG", "RESETSTAT"]).await;
    member.sync(true).await;
    let (calls, micros) = cost(&redis, "evalsha").await;
    eprintln!("beat of 20,000 users: {calls} calls, {:.2} ms of Redis", micros / 1000.0);
    assert!(calls <= 40);
}
