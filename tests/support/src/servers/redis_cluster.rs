//! A real Redis Cluster of a test: masters, each with a replica, whose slots can be moved and whose
//! nodes can fail like any [`RedisServer`].

use std::time::Duration;

use redis::{FromRedisValue, RedisResult};
use shared::cluster::{SLOTS, slot_of};

use crate::ports;
use crate::redis_server::{Options, RedisServer};
use crate::wait::eventually_within;

/// Nodes gossip once per second, and elections take some rounds of it, on a busy machine many. No
/// passing test depends on it.
const SETTLE_LIMIT: Duration = Duration::from_secs(90);
/// Keys of a slot moved by one call.
const KEYS_AT_ONCE: &str = "100";
/// Longest time of one MIGRATE, in milliseconds.
const MIGRATE_MS: &str = "5000";

/// The masters are the first half of the nodes at the start; `nodes[i + masters]` replicates
/// `nodes[i]`.
pub struct RedisCluster {
    pub nodes: Vec<RedisServer>,
    masters: usize,
}

/// A slot that is being moved from one node to another, by the steps that administrators' tools use.
pub struct Migration<'a> {
    cluster: &'a RedisCluster,
    slot: u16,
    source: &'a RedisServer,
    target: &'a RedisServer,
}

impl RedisCluster {
    /// Three masters with a replica each.
    pub async fn start() -> Self {
        Self::start_with(3, &Options::default()).await
    }

    pub async fn start_with(masters: usize, options: &Options) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..masters * 2 {
            let cluster_port = Some(ports::free());
            nodes.push(RedisServer::start_with(Options { cluster_port, ..options.clone() }).await);
        }
        let cluster = Self { nodes, masters };
        cluster.join().await;
        cluster
    }

    async fn join(&self) {
        let (masters, replicas) = self.nodes.split_at(self.masters);
        let share = usize::from(SLOTS).div_ceil(masters.len());
        for (at, node) in self.nodes.iter().enumerate() {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]).await;
        }
        for (at, master) in masters.iter().enumerate() {
            let (first, end) = (at * share, ((at + 1) * share).min(usize::from(SLOTS)));
            let (first, last) = (first.to_string(), (end - 1).to_string());
            master.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
        }
        for node in &self.nodes[1..] {
            let (port, bus) = (node.port().to_string(), node.cluster_port().to_string());
            self.nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
        }
        for (replica, master) in replicas.iter().zip(masters) {
            let id = id_of(master).await;
            eventually_within(SETTLE_LIMIT, "a replica knows its master", async || {
                let known: RedisResult<()> = ask(replica, &["CLUSTER", "REPLICATE", &id]).await;
                known.ok()
            })
            .await;
        }
        self.settled().await;
    }

    /// Waits until every running node serves, knows all slots, and has its replicas in sync.
    pub async fn settled(&self) {
        let running: Vec<&RedisServer> =
            self.nodes.iter().filter(|node| node.is_running()).collect();
        eventually_within(SETTLE_LIMIT, "the cluster is settled", async || {
            let mut views = Vec::new();
            for node in &running {
                let info: String = ask(node, &["CLUSTER", "INFO"]).await.ok()?;
                let is_ok = info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_ok:16384")
                    && info.contains(&format!("cluster_known_nodes:{}", self.nodes.len()));
                let replication: String = ask(node, &["INFO", "replication"]).await.ok()?;
                let is_linked = replication.contains("role:master")
                    || replication.contains("master_link_status:up");
                views.push(owners(node).await?);
                if !is_ok || !is_linked {
                    return None;
                }
            }
            views.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
        })
        .await;
    }

    /// `redis+cluster://` with every node, or `rediss+cluster://`; with the password, if there is one.
    pub fn url(&self) -> String {
        let seeds: Vec<String> = self.nodes.iter().map(RedisServer::address).collect();
        let of_one = self.nodes[0].url();
        let (scheme, rest) = of_one.split_once("://").expect("a URL");
        let login = rest.strip_suffix(&seeds[0]).expect("the node's address");
        format!("{scheme}+cluster://{login}{}", seeds.join(","))
    }

    /// The nodes' address as a permission of the functions: a range of ports, without its end.
    pub fn host(&self) -> String {
        let ports = self.nodes.iter().map(RedisServer::port);
        let (first, last) = (ports.clone().min().unwrap(), ports.max().unwrap());
        format!("127.0.0.1:{first}..{}", last + 1)
    }

    /// The node that serves a key, as the running nodes see it.
    pub async fn owner_of(&self, key: &str) -> &RedisServer {
        self.owner_of_slot(slot_of(key)).await
    }

    pub async fn owner_of_slot(&self, slot: u16) -> &RedisServer {
        eventually_within(SETTLE_LIMIT, "a node serves the slot", async || {
            for node in self.nodes.iter().filter(|node| node.is_running()) {
                let Some(owners) = owners(node).await else { continue };
                let mut owners = owners.into_iter();
                let owner = owners.find(|(first, last, _)| (*first..=*last).contains(&slot));
                let owner = owner.and_then(|(_, _, port)| self.at_port(port));
                if let Some(owner) = owner.filter(|owner| owner.is_running()) {
                    return Some(owner);
                }
            }
            None
        })
        .await
    }

    /// The nodes that are masters now, in the order of their slots.
    pub async fn masters(&self) -> Vec<&RedisServer> {
        let mut masters: Vec<&RedisServer> = Vec::new();
        let first = self.nodes.iter().find(|node| node.is_running()).expect("a running node");
        for (_, _, port) in owners(first).await.expect("a node tells the slots") {
            let master = self.at_port(port).expect("a node of this cluster");
            if masters.iter().all(|known| known.port() != port) {
                masters.push(master);
            }
        }
        masters
    }

    /// A replica of this master.
    pub async fn replica_of(&self, master: &RedisServer) -> &RedisServer {
        let port = format!("master_port:{}\r", master.port());
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            let info: String = node.run("INFO replication").await;
            if info.contains("role:slave") && info.contains(&port) {
                return node;
            }
        }
        panic!("no replica of {}", master.address());
    }

    /// Runs a command, given as words, on the node that serves `key`.
    pub async fn run_words<T: FromRedisValue>(&self, key: &str, words: &[&str]) -> T {
        self.owner_of(key).await.run_words(words).await
    }

    /// Begins to move a slot: keys that are still there are served by the old node, others by the
    /// new one after `ASKING`.
    pub async fn migrate<'a>(&'a self, slot: u16, target: &'a RedisServer) -> Migration<'a> {
        let source = self.owner_of_slot(slot).await;
        let (from, to, number) = (id_of(source).await, id_of(target).await, slot.to_string());
        target.command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &from]).await;
        source.command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &to]).await;
        Migration { cluster: self, slot, source, target }
    }

    /// Moves slots with their keys, one after the other.
    pub async fn reshard(&self, slots: impl IntoIterator<Item = u16>, target: &RedisServer) {
        for slot in slots {
            if self.owner_of_slot(slot).await.port() != target.port() {
                let migration = self.migrate(slot, target).await;
                migration.move_keys().await;
                migration.finish().await;
            }
        }
    }

    /// Makes this replica a master, with its master's consent (`CLUSTER FAILOVER`).
    pub async fn fail_over_to(&self, replica: &RedisServer) {
        replica.command(&["CLUSTER", "FAILOVER"]).await;
        eventually_within(SETTLE_LIMIT, "the replica is a master", async || {
            let info: String = ask(replica, &["INFO", "replication"]).await.ok()?;
            info.contains("role:master").then_some(())
        })
        .await;
    }

    fn at_port(&self, port: u16) -> Option<&RedisServer> {
        self.nodes.iter().find(|node| node.port() == port)
    }
}

impl Migration<'_> {
    /// Moves all keys of the slot.
    pub async fn move_keys(&self) {
        loop {
            let slot = self.slot.to_string();
            let words = ["CLUSTER", "GETKEYSINSLOT", &slot, KEYS_AT_ONCE];
            let keys: Vec<String> = self.source.run_words(&words).await;
            if keys.is_empty() {
                return;
            }
            self.move_some(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
    }

    /// Moves some keys of the slot.
    pub async fn move_some(&self, keys: &[&str]) {
        let port = self.target.port().to_string();
        let head = ["MIGRATE", "127.0.0.1", &port, "", "0", MIGRATE_MS, "KEYS"];
        self.source.command(&[head.as_slice(), keys].concat()).await;
    }

    /// Gives up: the slot stays where it was, and keys that have moved are lost with the next flush.
    pub async fn abandon(self) {
        for node in [self.target, self.source] {
            node.command(&["CLUSTER", "SETSLOT", &self.slot.to_string(), "STABLE"]).await;
        }
    }

    /// Ends the move: the new node owns the slot, and the others are told.
    pub async fn finish(self) {
        let (id, slot) = (id_of(self.target).await, self.slot.to_string());
        for node in [self.target, self.source] {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).await;
        }
        for node in self.cluster.nodes.iter().filter(|node| node.is_running()) {
            // A replica learns it from its master.
            let _: RedisResult<()> = ask(node, &["CLUSTER", "SETSLOT", &slot, "NODE", &id]).await;
        }
    }
}

async fn id_of(node: &RedisServer) -> String {
    node.run("CLUSTER MYID").await
}

async fn ask<T: FromRedisValue>(node: &RedisServer, words: &[&str]) -> RedisResult<T> {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut node.try_connection().await?).await
}

/// The first slot, last slot and master's port of each range, sorted; `None` if the node does not
/// answer.
async fn owners(node: &RedisServer) -> Option<Vec<(u16, u16, u16)>> {
    let reply: Vec<Vec<redis::Value>> = ask(node, &["CLUSTER", "SLOTS"]).await.ok()?;
    let mut owners = Vec::new();
    for range in reply {
        let [first, last, master, ..] = range.as_slice() else { return None };
        let master: Vec<redis::Value> = redis::from_redis_value(master.clone()).ok()?;
        let number = |value: &redis::Value| redis::from_redis_value::<u16>(value.clone()).ok();
        owners.push((number(first)?, number(last)?, number(master.get(1)?)?));
    }
    owners.sort_unstable();
    Some(owners)
}
