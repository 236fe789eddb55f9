//! The users of a turn: their feeds in Redis, their sockets, and the load on them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use shared::{UserId, keys};
use support::chart::Curve;
use support::stats::percentile;
use support::{RedisServer, cpu};

use crate::crowd::Crowd;
use crate::gateway::Gateway;
use crate::publisher::{Burst, Pace, Publisher};

const OPEN_LIMIT: Duration = Duration::from_secs(120);
/// After this time without a delivery the remaining messages count as lost.
const STALL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
const COMPANIONS_PAGE: usize = 1_000;
/// Expiry of the feeds' companions: longer than a turn.
const FEED_S: i64 = 24 * 3600;

/// Users with a feed and a token, but no socket yet.
pub struct Users {
    names: Arc<Vec<String>>,
    /// The epoch, different every time, since every feed counts from 1.
    epoch: String,
    requests: Vec<Vec<u8>>,
}

/// Users with their sockets.
pub struct Audience {
    crowd: Crowd,
    publisher: Publisher,
    names: Arc<Vec<String>>,
    epoch: String,
}

/// The results of a load. Microseconds are per delivered message.
#[derive(Clone, Copy, Debug)]
pub struct Borne {
    pub per_s: f64,
    pub server_us: f64,
    pub redis_us: f64,
    pub load_us: f64,
    /// Number of cores that the server used.
    pub cores: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub worst_ms: f64,
    /// At the percentiles of a chart's curve.
    pub curve_ms: [f64; 5],
    pub lost: u64,
    pub doubled: u64,
}

impl Users {
    /// Prepares `count` users with an empty feed.
    pub async fn prepare(
        gateway: &Gateway,
        redis: &RedisServer,
        prefix: &str,
        count: usize,
        epoch: &str,
    ) -> Result<Self> {
        let names: Vec<String> = (0..count).map(|at| format!("{prefix}-{at:05}")).collect();
        let requests = names.iter().map(|name| gateway.handshake(name)).collect();
        let users = Self { names: Arc::new(names), epoch: epoch.to_owned(), requests };
        write_heads(redis, &users.names, &users.epoch, &vec![0; count]).await?;
        Ok(users)
    }

    /// Opens all sockets.
    pub async fn come(self, gateway: &Gateway, redis: &RedisServer) -> Result<Audience> {
        let Self { names, epoch, requests } = self;
        let begun = Instant::now();
        let count = requests.len();
        let publisher = Publisher::connect(gateway.wire(redis), Arc::clone(&names), &epoch, begun)?;
        let mut crowd = Crowd::start(gateway.address, requests, begun)?;
        crowd.opened(count, OPEN_LIMIT).await?;
        Ok(Audience { crowd, publisher, names, epoch })
    }
}

impl Audience {
    /// Publishes for a while, and waits until everything is delivered or lost.
    pub async fn hear(
        &mut self,
        pace: Pace,
        duration: Duration,
        gateway: &Gateway,
        redis: &RedisServer,
    ) -> Result<Borne> {
        let seen = Arc::clone(&self.crowd.seen);
        let tid = seen.tid.load(Ordering::Relaxed);
        let delivered = || seen.delivered.load(Ordering::Relaxed);
        let doubled = || seen.doubled.load(Ordering::Relaxed);
        let (delivered_before, doubled_before) = (delivered(), doubled());
        drop(seen.latencies());
        let crowd_before = cpu::of_thread(tid);
        let before = cpu::of_processes([gateway.pid(), redis.pid()]);
        let begun = Instant::now();

        let publisher = &mut self.publisher;
        let burst = tokio::task::block_in_place(|| publisher.run(pace, duration, &seen))?;
        let mut progress = (delivered(), Instant::now());
        while progress.0 - delivered_before < burst.sent && progress.1.elapsed() < STALL {
            tokio::time::sleep(POLL).await;
            self.crowd.check()?;
            if delivered() > progress.0 {
                progress = (delivered(), Instant::now());
            }
        }
        let cores_time = begun.elapsed();
        let after = cpu::of_processes([gateway.pid(), redis.pid()]);
        let crowd = cpu::of_thread(tid).saturating_sub(crowd_before);
        self.crowd.check()?;
        let (closed, astray) = (&seen.closed, &seen.astray);
        let (closed, astray) = (closed.load(Ordering::Relaxed), astray.load(Ordering::Relaxed));
        ensure!(closed == 0, "{closed} sockets were closed");
        ensure!(astray == 0, "{astray} messages reached another user");
        // The functions would have updated the heads with every message.
        write_heads(redis, &self.names, &self.epoch, self.publisher.counts()).await?;

        let count = delivered() - delivered_before;
        ensure!(count > 0, "no message was delivered");
        let us = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        let mut latencies = seen.latencies();
        latencies.sort_unstable();
        let ms = |percent| f64::from(percentile(&latencies, percent)) / 1000.0;
        let [server, server_redis] = [0, 1].map(|at| after[at].saturating_sub(before[at]));
        let Burst { sent, delivered: in_time, took, cpu: publishing } = burst;
        Ok(Borne {
            per_s: in_time as f64 / took.as_secs_f64(),
            server_us: us(server),
            redis_us: us(server_redis),
            load_us: us(crowd + publishing),
            cores: server.as_secs_f64() / cores_time.as_secs_f64(),
            p50_ms: ms(50.0),
            p99_ms: ms(99.0),
            worst_ms: ms(100.0),
            curve_ms: Curve::new("", &latencies).ms,
            lost: sent.saturating_sub(count),
            doubled: doubled() - doubled_before,
        })
    }
}

/// Writes the companions of the users' feeds, the part that a hub reads. Lists are omitted: the hub
/// only reads them after a loss.
pub async fn write_heads(
    redis: &RedisServer,
    names: &[String],
    epoch: &str,
    heads: &[u32],
) -> Result<()> {
    let mut connection = redis.connection().await;
    let users: Vec<(&String, &u32)> = names.iter().zip(heads).collect();
    for page in users.chunks(COMPANIONS_PAGE) {
        let mut pipeline = redis::pipe();
        for &(name, head) in page {
            let key = keys::feed_companion(&UserId::parse(name)?);
            pipeline.hset_multiple(&key, &[("epoch", epoch), ("head", &head.to_string())]).ignore();
            pipeline.expire(&key, FEED_S).ignore();
        }
        pipeline.exec_async(&mut connection).await?;
    }
    Ok(())
}
