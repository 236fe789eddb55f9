//! The keys of presence in Redis: to shift their times, to copy and to restore them.

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use shared::keys::{ONLINE_USERS, PRESENCE_HUB_PREFIX, PRESENCE_LEASES, PRESENCE_REVS};

/// A copy of all presence keys.
pub struct Store {
    online: Vec<String>,
    online_ttl_ms: i64,
    leases: Vec<(String, i64)>,
    revs: Vec<(String, String)>,
    sets: Vec<(String, Vec<String>)>,
}

const TTL_S: i64 = 3600;

impl Store {
    /// Lets time pass; returns whether the set expired meanwhile.
    pub async fn pass(connection: &mut MultiplexedConnection, ms: u64) -> bool {
        let ms = i64::try_from(ms).unwrap();
        let leases: Vec<String> = connection.zrange(PRESENCE_LEASES, 0, -1).await.unwrap();
        for id in leases {
            let _: f64 = connection.zincr(PRESENCE_LEASES, id, -ms).await.unwrap();
        }
        let ttl_ms: i64 = connection.pttl(ONLINE_USERS).await.unwrap();
        if ttl_ms >= 0 {
            let _: () = connection.pexpire(ONLINE_USERS, ttl_ms - ms).await.unwrap();
        }
        ttl_ms >= 0 && ttl_ms <= ms
    }

    pub async fn read(connection: &mut MultiplexedConnection) -> Self {
        let names: Vec<String> = connection.keys(format!("{PRESENCE_HUB_PREFIX}*")).await.unwrap();
        let mut sets = Vec::new();
        for name in names {
            let users = connection.smembers(&name).await.unwrap();
            sets.push((name, users));
        }
        Self {
            online: connection.smembers(ONLINE_USERS).await.unwrap(),
            online_ttl_ms: connection.pttl(ONLINE_USERS).await.unwrap(),
            leases: connection.zrange_withscores(PRESENCE_LEASES, 0, -1).await.unwrap(),
            revs: connection.hgetall(PRESENCE_REVS).await.unwrap(),
            sets,
        }
    }

    /// Replaces the current keys.
    pub async fn write(&self, connection: &mut MultiplexedConnection) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("FLUSHALL");
        if !self.online.is_empty() {
            pipeline.sadd(ONLINE_USERS, &self.online);
        }
        if self.online_ttl_ms >= 0 {
            pipeline.pexpire(ONLINE_USERS, self.online_ttl_ms);
        }
        for (id, deadline_ms) in &self.leases {
            pipeline.zadd(PRESENCE_LEASES, id, deadline_ms).expire(PRESENCE_LEASES, TTL_S);
        }
        for (id, rev) in &self.revs {
            pipeline.hset(PRESENCE_REVS, id, rev).expire(PRESENCE_REVS, TTL_S);
        }
        for (name, users) in &self.sets {
            pipeline.sadd(name, users).expire(name, TTL_S);
        }
        pipeline.exec_async(connection).await.unwrap();
    }
}
