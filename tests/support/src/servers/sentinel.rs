//! A real primary with a replica under Sentinels: one fails over to the other, as with
//! `redis+sentinel://`.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use redis::{AsyncConnectionConfig, FromRedisValue, RedisResult};
use tempfile::TempDir;

use crate::ports;
use crate::process::Process;
use crate::redis_server::{Options, RedisServer};
use crate::wait::{PATIENCE, eventually_within};

/// The name under which the Sentinels know the primary.
pub const MASTER: &str = "mymaster";
/// Two of three agree that the primary is away, and one of them is elected to fail over.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;
/// Time without an answer until a Sentinel counts the primary as away.
const DOWN_AFTER_MS: &str = "1000";
/// Time until another Sentinel tries again after a failover that did not end.
const FAILOVER_TIMEOUT_MS: &str = "6000";
/// Sentinels find each other and the replicas by messages and questions of seconds.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
const STARTS_MAX: usize = 10;

/// `nodes[0]` is the primary at the start, `nodes[1]` its replica.
pub struct Sentinel {
    pub nodes: Vec<RedisServer>,
    sentinels: Vec<Watcher>,
}

/// One Sentinel.
struct Watcher {
    port: u16,
    /// Its file: a Sentinel keeps there what it learns.
    _dir: TempDir,
    process: Mutex<Process>,
}

impl Sentinel {
    pub async fn start() -> Self {
        Self::start_with(&Options::default()).await
    }

    pub async fn start_with(options: &Options) -> Self {
        let primary = RedisServer::start_with(options.clone()).await;
        let replica = RedisServer::start_with(options.clone()).await;
        replica.replicate(&primary).await;
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            sentinels.push(Watcher::start(primary.port()).await);
        }
        let sentinel = Self { nodes: vec![primary, replica], sentinels };
        sentinel.settled().await;
        sentinel
    }

    /// Waits until every running Sentinel names the same primary, and knows a healthy replica and
    /// the other Sentinels: then it can fail over. Needs both nodes.
    pub async fn settled(&self) {
        eventually_within(SETTLE_LIMIT, "Sentinel is settled", async || {
            let mut named = Vec::new();
            for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.is_running()) {
                named.push(sentinel.master().await?);
                let (link, others) = sentinel.replica_and_others().await?;
                if link != "ok" || others != SENTINELS - 1 {
                    return None;
                }
            }
            named.dedup();
            let [port] = named.as_slice() else { return None };
            let primary = self.at_port(*port)?;
            is_primary(primary).await.then_some(())
        })
        .await;
    }

    /// `redis+sentinel://` with every Sentinel.
    pub fn url(&self) -> String {
        let seeds: Vec<String> = self.addresses();
        format!("redis+sentinel://{}/{MASTER}", seeds.join(","))
    }

    /// `host:port` of every Sentinel.
    pub fn addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect()
    }

    /// The running primary that a Sentinel names.
    pub async fn primary(&self) -> &RedisServer {
        eventually_within(SETTLE_LIMIT, "Sentinel names a running primary", async || {
            for sentinel in &self.sentinels {
                let Some(port) = sentinel.master().await else { continue };
                let Some(node) = self.at_port(port) else { continue };
                if node.is_running() && is_primary(node).await {
                    return Some(node);
                }
            }
            None
        })
        .await
    }

    /// The node that is not the primary.
    pub async fn replica(&self) -> &RedisServer {
        let primary = self.primary().await.port();
        self.nodes.iter().find(|node| node.port() != primary).expect("two nodes")
    }

    /// Makes the replica the primary, while both run (`SENTINEL FAILOVER`).
    pub async fn fail_over(&self) {
        let former = self.primary().await.port();
        let mut running = self.sentinels.iter().filter(|sentinel| sentinel.is_running());
        let asked = running.next().expect("a running Sentinel");
        eventually_within(SETTLE_LIMIT, "a Sentinel begins the failover", async || {
            let begun: RedisResult<()> = asked.ask(&["SENTINEL", "FAILOVER", MASTER]).await;
            begun.ok()
        })
        .await;
        self.replaced(former).await;
    }

    /// Waits until the Sentinels have replaced the primary at this port; returns the new one.
    pub async fn replaced(&self, former: u16) -> &RedisServer {
        eventually_within(SETTLE_LIMIT, "the primary is replaced", async || {
            (self.primary().await.port() != former).then_some(())
        })
        .await;
        self.primary().await
    }

    /// `kill -9` of the Sentinel at this place in [`Sentinel::addresses`].
    pub fn kill_sentinel(&self, at: usize) {
        self.sentinels[at].process.lock().unwrap().kill();
    }

    fn at_port(&self, port: u16) -> Option<&RedisServer> {
        self.nodes.iter().find(|node| node.port() == port)
    }
}

impl Watcher {
    async fn start(primary: u16) -> Self {
        for _ in 0..STARTS_MAX {
            let (port, dir) = (ports::free(), tempfile::tempdir().unwrap());
            let config = format!(
                "port {port}\nbind 127.0.0.1\ndir {dir}\n\
                 sentinel monitor {MASTER} 127.0.0.1 {primary} {QUORUM}\n\
                 sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}\n\
                 sentinel failover-timeout {MASTER} {FAILOVER_TIMEOUT_MS}\n",
                dir = dir.path().display()
            );
            let file = dir.path().join("sentinel.conf");
            std::fs::write(&file, config).unwrap();
            let mut command = Command::new("redis-server");
            command.arg(&file).arg("--sentinel");
            let process = Mutex::new(Process::start("sentinel", &mut command));
            let sentinel = Self { port, _dir: dir, process };
            let is_up = eventually_within(SETTLE_LIMIT, "a Sentinel answers", async || {
                if !sentinel.is_running() {
                    return Some(false);
                }
                sentinel.master().await.map(|_| true)
            });
            if is_up.await {
                return sentinel;
            }
        }
        panic!("a Sentinel found no free port");
    }

    fn is_running(&self) -> bool {
        self.process.lock().unwrap().exit_status().is_none()
    }

    /// The port of the primary; `None` if the Sentinel does not answer.
    async fn master(&self) -> Option<u16> {
        let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
        let (_, port): (String, String) = self.ask(&words).await.ok()?;
        port.parse().ok()
    }

    /// The state of the link between the replica and its primary, and the number of other
    /// Sentinels.
    async fn replica_and_others(&self) -> Option<(String, usize)> {
        type Members = std::collections::HashMap<String, String>;
        let replicas: Vec<Members> = self.ask(&["SENTINEL", "REPLICAS", MASTER]).await.ok()?;
        let others: Vec<Members> = self.ask(&["SENTINEL", "SENTINELS", MASTER]).await.ok()?;
        let [replica] = replicas.as_slice() else { return None };
        let is_healthy = replica.get("flags").is_some_and(|flags| flags == "slave");
        let link = replica.get("master-link-status").filter(|_| is_healthy)?;
        Some((link.clone(), others.len()))
    }

    async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await
    }
}

async fn is_primary(node: &RedisServer) -> bool {
    let Ok(mut connection) = node.try_connection().await else { return false };
    let role: RedisResult<Vec<redis::Value>> =
        redis::cmd("ROLE").query_async(&mut connection).await;
    role.is_ok_and(|role| role.first() == Some(&redis::Value::BulkString(b"master".to_vec())))
}
