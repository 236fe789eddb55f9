//! The runtime's Redis over native clients of a Redis Cluster: a call goes to the node of its first
//! key, and follows redirects, as the components' does. Everything else that a cluster refuses is an
//! error.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::Value;
use redis::aio::MultiplexedConnection;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use shared::cluster::{SLOTS, slot_of};
use shared::live::Live;
use shared::script::Script;
use support::RedisCluster;
use tokio::sync::Mutex;

use crate::models::record_model::redis::{replies, with_args};

/// Longer than any slot of a test moves.
const MOVE_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// A client of all masters.
pub struct ClusterRedis {
    /// By port.
    links: BTreeMap<u16, MultiplexedConnection>,
    /// The port that serves each slot, as far as is known.
    ports: Mutex<Vec<u16>>,
    pub live: Live,
}

impl ClusterRedis {
    pub async fn connect(cluster: &RedisCluster) -> Self {
        let mut links = BTreeMap::new();
        let masters = cluster.masters().await;
        for master in &masters {
            links.insert(master.port(), master.connection().await);
        }
        let first = masters[0].port();
        // Redirects teach the rest.
        let ports = Mutex::new(vec![first; usize::from(SLOTS)]);
        Self { links, ports, live: Live::All }
    }

    async fn call(&self, command: &redis::Cmd, slot: u16) -> Result<Vec<Reply>, RedisError> {
        let begun = Instant::now();
        let mut port = self.ports.lock().await[usize::from(slot)];
        let mut is_asking = false;
        loop {
            let mut link = self.links[&port].clone();
            let answer = if is_asking {
                let mut pipeline = redis::pipe();
                pipeline.cmd("ASKING").ignore().add_command(command.clone());
                pipeline.query_async::<(Value,)>(&mut link).await.map(|(value,)| value)
            } else {
                command.query_async::<Value>(&mut link).await
            };
            let error = match answer {
                Ok(value) => return Ok(replies(value)),
                Err(error) => error,
            };
            let text = error.to_string();
            let is_late = begun.elapsed() > MOVE_LIMIT;
            (port, is_asking) = match error.code() {
                Some("MOVED") if !is_late => {
                    let port = port_in(&error);
                    self.ports.lock().await[usize::from(slot)] = port;
                    (port, false)
                }
                Some("ASK") if !is_late => (port_in(&error), true),
                Some("WRONGTYPE") => return Err(RedisError::WrongType),
                Some("TRYAGAIN") if !is_late => {
                    tokio::time::sleep(PAUSE).await;
                    (self.ports.lock().await[usize::from(slot)], false)
                }
                _ if text.contains("non local key") && !is_late => {
                    tokio::time::sleep(PAUSE).await;
                    (self.ports.lock().await[usize::from(slot)], false)
                }
                _ => return Err(RedisError::Refused(text)),
            };
        }
    }
}

/// The port that a redirect names.
fn port_in(error: &redis::RedisError) -> u16 {
    let (address, _) = error.redirect_node().expect("a redirect names a node");
    address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
}

impl Redis for ClusterRedis {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        let mut command = redis::cmd("EVAL");
        command.arg(script.on_cluster().source).arg(keys.len()).arg(keys);
        self.call(&with_args(command, args), slot_of(keys.first().map_or("", |key| key))).await
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        let slot = match args.first() {
            Some(Arg::Text(key)) => slot_of(key),
            _ => 0,
        };
        self.call(&with_args(redis::cmd(name), args), slot).await
    }

    fn is_cluster(&self) -> bool {
        true
    }

    fn live(&self) -> Live {
        self.live
    }

    async fn by_server(&self, keys: &[&str]) -> Result<Vec<Vec<usize>>, RedisError> {
        let ports = self.ports.lock().await;
        let mut groups: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (at, key) in keys.iter().enumerate() {
            groups.entry(ports[usize::from(slot_of(key))]).or_default().push(at);
        }
        Ok(groups.into_values().collect())
    }
}
