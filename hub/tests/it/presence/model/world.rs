//! Hubs, other services, their Redis, and the expected state.

use std::collections::BTreeSet;

use hub::config::PresencePace;
use hub::presence::{Presence, Users};
use parking_lot::Mutex;
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use shared::UserId;
use shared::keys::{ONLINE_USERS, PRESENCE_HUB_PREFIX, PRESENCE_LEASES, PRESENCE_REVS};

use super::line::{Call, Fault, Line, execute};
use super::store::Store;
use crate::support::RedisServer;

pub const HUBS: usize = 3;
/// The last three never connect to a hub: only other services add them.
pub const USERS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "x", "y", "z"];
const HUB_USERS: usize = 6;
const LEASE_MS: u64 = 12_000;
struct Hub {
    presence: Presence,
    users: Mutex<BTreeSet<UserId>>,
    /// Users written by a beat and since then removable only by time or another service.
    sure: BTreeSet<UserId>,
    /// Time since the last answered beat.
    silent_ms: u64,
}

impl Users for Hub {
    fn parts(&self) -> impl Iterator<Item = Vec<UserId>> + Send {
        // In parts, like the registry's shards.
        let users: Vec<UserId> = self.users.lock().iter().cloned().collect();
        users.into_iter().map(|user| vec![user])
    }
}

impl Hub {
    fn new() -> Self {
        Self {
            presence: Presence::new(PresencePace::default(), std::sync::Arc::default()),
            users: Mutex::default(),
            sure: BTreeSet::new(),
            silent_ms: 0,
        }
    }
}

pub struct World {
    connection: MultiplexedConnection,
    hubs: Vec<Hub>,
    late: Mutex<Vec<Call>>,
    /// Members that other services added and did not remove.
    others: BTreeSet<&'static str>,
    snapshot: Option<(Store, BTreeSet<&'static str>)>,
    passed_since_ms: u64,
}

impl World {
    pub async fn new(redis: &RedisServer) -> Self {
        let mut connection = redis.connection().await;
        let _: () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
        Self {
            connection,
            hubs: (0..HUBS).map(|_| Hub::new()).collect(),
            late: Mutex::default(),
            others: BTreeSet::new(),
            snapshot: None,
            passed_since_ms: 0,
        }
    }

    fn line(&self, fault: Fault) -> Line<'_> {
        Line { connection: self.connection.clone(), fault, late: &self.late }
    }

    pub fn join(&mut self, hub: usize, user: usize) {
        let hub = &self.hubs[hub];
        let user = UserId::parse(USERS[user % HUB_USERS]).unwrap();
        if hub.users.lock().insert(user.clone()) {
            hub.presence.set(&user, true);
        }
    }

    pub fn leave(&mut self, hub: usize, user: usize) {
        let hub = &mut self.hubs[hub];
        let user = UserId::parse(USERS[user % HUB_USERS]).unwrap();
        hub.sure.remove(&user);
        if hub.users.lock().remove(&user) {
            hub.presence.set(&user, false);
        }
    }

    pub async fn sync(&mut self, hub: usize, is_beat: bool, fault: Fault) {
        let this = &self.hubs[hub];
        let outcome = this.presence.sync(&self.line(fault), this, is_beat).await;
        assert!(fault != Fault::None || outcome.is_ok(), "{outcome:?}");
        if is_beat && outcome.is_ok() {
            let this = &mut self.hubs[hub];
            this.sure = this.users.lock().clone();
            this.silent_ms = 0;
        }
    }

    fn doubt_all(&mut self) {
        self.others.clear();
        self.hubs.iter_mut().for_each(|hub| hub.sure.clear());
    }

    /// A user of a live hub stays online, whatever other hubs do.
    pub async fn check_sure(&self) -> Result<(), String> {
        let mut connection = self.connection.clone();
        let online: BTreeSet<String> = connection.smembers(ONLINE_USERS).await.unwrap();
        let mut sure = self.hubs.iter().flat_map(|hub| &hub.sure);
        match sure.find(|user| !online.contains(user.as_str())) {
            Some(user) => Err(format!("{user} was removed although a hub holds them")),
            None => Ok(()),
        }
    }

    pub fn die(&mut self, hub: usize) {
        self.hubs[hub] = Hub::new();
    }

    pub async fn release(&mut self, hub: usize, fault: Fault) {
        let outcome = self.hubs[hub].presence.leave(&self.line(fault)).await;
        assert!(fault != Fault::None || outcome.is_ok(), "{outcome:?}");
        self.die(hub);
    }

    pub async fn pass(&mut self, ms: u64) {
        self.passed_since_ms += ms;
        for hub in &mut self.hubs {
            hub.silent_ms += ms;
            // Real time passes, too.
            if hub.silent_ms >= LEASE_MS - 100 {
                hub.sure.clear();
            }
        }
        if Store::pass(&mut self.connection, ms).await {
            self.doubt_all();
        }
    }

    pub async fn run_late(&mut self) {
        let call = self.late.lock().pop();
        if let Some(call) = call {
            execute(&self.connection, &call).await.unwrap();
        }
    }

    pub async fn others_add(&mut self, user: usize) {
        let _: () = self.connection.sadd(ONLINE_USERS, USERS[user]).await.unwrap();
        self.others.insert(USERS[user]);
    }

    pub async fn others_remove(&mut self, user: usize) {
        let _: () = self.connection.srem(ONLINE_USERS, USERS[user]).await.unwrap();
        self.others.remove(USERS[user]);
        for hub in &mut self.hubs {
            hub.sure.retain(|known| known.as_str() != USERS[user]);
        }
    }

    pub async fn others_delete(&mut self) {
        let _: () = self.connection.del(ONLINE_USERS).await.unwrap();
        self.doubt_all();
    }

    pub async fn flush(&mut self) {
        let _: () = redis::cmd("FLUSHALL").query_async(&mut self.connection).await.unwrap();
        self.doubt_all();
    }

    pub async fn lose_revs(&mut self) {
        let _: () = self.connection.del(PRESENCE_REVS).await.unwrap();
    }

    pub async fn snapshot(&mut self) {
        let store = Store::read(&mut self.connection).await;
        self.snapshot = Some((store, self.others.clone()));
        self.passed_since_ms = 0;
    }

    pub async fn restore(&mut self) {
        let Some((store, others)) = self.snapshot.take() else { return };
        store.write(&mut self.connection).await;
        self.doubt_all();
        self.others = others;
        self.pass(self.passed_since_ms).await;
    }

    /// Runs only beats, for as long as the contract allows, and compares.
    pub async fn come_to_rest(&mut self) -> Result<(), String> {
        while !self.late.lock().is_empty() {
            self.run_late().await;
        }
        for _ in 0..5 {
            for hub in 0..HUBS {
                self.sync(hub, true, Fault::None).await;
            }
            self.pass(3_900).await;
        }
        for hub in 0..HUBS {
            self.sync(hub, true, Fault::None).await;
        }
        let online: BTreeSet<String> = self.connection.smembers(ONLINE_USERS).await.unwrap();
        let held = |user: &str| {
            let user = UserId::parse(user).unwrap();
            self.hubs.iter().any(|hub| hub.users.lock().contains(&user))
        };
        for (at, user) in USERS.into_iter().enumerate() {
            let is_online = online.contains(user);
            let is_others = self.others.contains(user);
            let is_right = match (at < HUB_USERS, held(user), is_others) {
                (true, true, _) => is_online,
                (true, false, false) => !is_online,
                // Other services still hold them, but our last socket may have removed them.
                (true, false, true) => true,
                (false, _, is_others) => is_online == is_others,
            };
            if !is_right {
                return Err(format!("{user} is online: {is_online}, added by others: {is_others}"));
            }
        }
        self.check_companions(USERS.into_iter().any(held)).await
    }

    async fn check_companions(&self, is_anyone_held: bool) -> Result<(), String> {
        let mut connection = self.connection.clone();
        let leases: usize = connection.zcard(PRESENCE_LEASES).await.unwrap();
        let revs: usize = connection.hlen(PRESENCE_REVS).await.unwrap();
        let names: Vec<String> = connection.keys("bw:*").await.unwrap();
        let sets = names.iter().filter(|name| name.starts_with(PRESENCE_HUB_PREFIX)).count();
        let hubs_with_users = self.hubs.iter().filter(|hub| !hub.users.lock().is_empty()).count();
        if (leases, revs, sets) != (HUBS, HUBS, hubs_with_users) {
            return Err(format!("{leases} leases, {revs} revs, {sets} sets"));
        }
        for name in &names {
            let ttl_ms: i64 = connection.pttl(name).await.unwrap();
            if ttl_ms < 0 {
                return Err(format!("{name} never expires"));
            }
        }
        let ttl_ms: i64 = connection.pttl(ONLINE_USERS).await.unwrap();
        let is_right = match (is_anyone_held, ttl_ms) {
            (true, ttl_ms) => (15_000..=20_000).contains(&ttl_ms),
            // Only members of others, or none.
            (false, ttl_ms) => ttl_ms < 0,
        };
        if is_right { Ok(()) } else { Err(format!("the set expires in {ttl_ms} ms")) }
    }
}
