//! Creates notifications on a cluster as the functions do, and follows its slots.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use ::support::{RedisCluster, eventually_within};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value, from_redis_value};
use shared::cluster::{Server, SlotMap};
use shared::{UserId, keys};
use tokio::time::timeout;

use crate::support::redis::ours;

/// Appends and publishes, and refuses while the slot moves. A repeat publishes what was appended once
/// more.
const CREATE: &str = r#"
local probe = redis.pcall('EXISTS', KEYS[2] .. ':')
if type(probe) == 'table' and probe.err then return redis.error_reply('TRYAGAIN moving') end
if tonumber(redis.call('HGET', KEYS[2], 'head') or 0) < tonumber(ARGV[1]) then
  redis.call('LPUSH', KEYS[1], ARGV[2])
  redis.call('HSET', KEYS[2], 'epoch', 'e1', 'head', ARGV[1])
end
local bw = '"bw":{"epoch":"e1","seq":' .. ARGV[1] .. '}}'
redis.call('SPUBLISH', 'bw:live:{' .. KEYS[1] .. '}', '{"notification":' .. ARGV[2] .. ',' .. bw)
return 1"#;

/// A failover takes some seconds, on a busy machine many. No passing test depends on it.
const LIMIT: Duration = Duration::from_secs(90);

pub struct Publisher<'a> {
    cluster: &'a RedisCluster,
    connections: Mutex<HashMap<u16, MultiplexedConnection>>,
    map: Mutex<Option<SlotMap>>,
}

impl<'a> Publisher<'a> {
    pub fn new(cluster: &'a RedisCluster) -> Self {
        Self { cluster, connections: Mutex::default(), map: Mutex::default() }
    }

    /// Creates a notification, as soon as Redis accepts it.
    pub async fn create(&self, user: &UserId, seq: i64) {
        let text = ours(user.as_str(), seq);
        eventually_within(LIMIT, "a notification is created", async || {
            let created = timeout(Duration::from_secs(2), self.attempt(user, seq, &text)).await;
            if let Ok(Ok(())) = created {
                return Some(());
            }
            *self.map.lock().unwrap() = None;
            None
        })
        .await;
    }

    async fn attempt(&self, user: &UserId, seq: i64, text: &str) -> RedisResult<()> {
        let (feed, companion) = (keys::feed(user), keys::feed_companion(user));
        let known = self.map.lock().unwrap().clone();
        let map = match known {
            Some(map) => map,
            None => self.read_map().await?,
        };
        let port = map.server_of(&feed).map(|server| server.port).ok_or_else(nobody)?;
        let mut connection = self.connection(port).await?;
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(CREATE).arg(2).arg(feed).arg(companion).arg(seq).arg(text);
        // Or a failover could forget it, which would be the record's task to repair.
        pipeline.cmd("WAIT").arg(1).arg(10);
        let answer: RedisResult<(i64, i64)> = pipeline.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(|error| error.is_io_error() || error.is_timeout()) {
            self.connections.lock().unwrap().remove(&port);
        }
        answer.map(drop)
    }

    async fn connection(&self, port: u16) -> RedisResult<MultiplexedConnection> {
        let known = self.connections.lock().unwrap().get(&port).cloned();
        if let Some(connection) = known {
            return Ok(connection);
        }
        let nodes = &self.cluster.nodes;
        let node = nodes.iter().find(|node| node.port() == port).ok_or_else(nobody)?;
        let connection = node.try_connection().await?;
        self.connections.lock().unwrap().insert(port, connection.clone());
        Ok(connection)
    }

    /// Asks the running nodes, each for a moment: one may be silent.
    async fn read_map(&self) -> RedisResult<SlotMap> {
        for node in self.cluster.nodes.iter().filter(|node| node.is_running()) {
            let asking = async {
                let mut connection = self.connection(node.port()).await?;
                redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await
            };
            let Ok(Ok(ranges)) = timeout(Duration::from_millis(300), asking).await else {
                self.connections.lock().unwrap().remove(&node.port());
                continue;
            };
            if let Some(map) = map(ranges) {
                *self.map.lock().unwrap() = Some(map.clone());
                return Ok(map);
            }
        }
        Err(nobody())
    }
}

fn map(ranges: Vec<Vec<Value>>) -> Option<SlotMap> {
    let ranges: Option<Vec<(u16, u16, Server)>> = ranges
        .into_iter()
        .map(|range| {
            let mut parts = range.into_iter();
            let (first, last) = (parts.next()?, parts.next()?);
            let master: Vec<Value> = from_redis_value(parts.next()?).ok()?;
            let port: u16 = from_redis_value(master.get(1)?.clone()).ok()?;
            let server = Server { host: "127.0.0.1".to_owned(), port };
            Some((from_redis_value(first).ok()?, from_redis_value(last).ok()?, server))
        })
        .collect();
    SlotMap::of_cluster(ranges?)
}

fn nobody() -> RedisError {
    (redis::ErrorKind::Io, "no node answers").into()
}
