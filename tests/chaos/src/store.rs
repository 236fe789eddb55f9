//! The Redis of a run: one server, or a Redis Cluster; connections of the record to it, and the
//! hubs' ways to it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisResult};
use support::{ClusterProxy, Proxy, RedisCluster, RedisServer};

/// As in the functions: no call waits longer for Redis.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// Attempts of redis-rs after a redirection or TRYAGAIN, with short pauses.
const RETRIES: u32 = 5;

pub enum Store {
    One(Box<RedisServer>),
    Cluster(RedisCluster),
}

impl Store {
    pub fn url(&self) -> String {
        match self {
            Store::One(server) => server.url(),
            Store::Cluster(cluster) => cluster.url(),
        }
    }

    /// All servers, also those that are down.
    pub fn servers(&self) -> &[RedisServer] {
        match self {
            Store::One(server) => std::slice::from_ref(&**server),
            Store::Cluster(cluster) => &cluster.nodes,
        }
    }

    /// The servers that accept writes.
    pub async fn masters(&self) -> Vec<&RedisServer> {
        match self {
            Store::One(server) => vec![server],
            Store::Cluster(cluster) => cluster.masters().await,
        }
    }
}

/// A connection for commands, to wherever their keys are.
#[derive(Clone)]
pub enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// `url` is one server's, or `redis+cluster://` with several.
    pub async fn open(url: &str) -> Result<Self> {
        let Some(seeds) = url.strip_prefix("redis+cluster://") else {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ANSWER_DEADLINE))
                .set_response_timeout(Some(ANSWER_DEADLINE));
            let client = redis::Client::open(url)?;
            let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            return Ok(Connection::One(connection));
        };
        let seeds = seeds.split(',').map(|seed| format!("redis://{seed}"));
        let client = ClusterClient::builder(seeds)
            .connection_timeout(ANSWER_DEADLINE)
            .response_timeout(ANSWER_DEADLINE)
            .retries(RETRIES)
            .build()?;
        let opening = client.get_async_connection();
        match tokio::time::timeout(ANSWER_DEADLINE, opening).await {
            Ok(connection) => Ok(Connection::Cluster(connection?)),
            Err(_) => bail!("no connection to the cluster in time"),
        }
    }

    pub async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Connection::One(connection) => command.query_async(connection).await,
            Connection::Cluster(connection) => command.query_async(connection).await,
        }
    }

    /// `INFO server` of every master.
    pub async fn infos(&mut self) -> RedisResult<Vec<String>> {
        let mut info = redis::cmd("INFO");
        info.arg("server");
        match self {
            Connection::One(connection) => Ok(vec![info.query_async(connection).await?]),
            Connection::Cluster(connection) => {
                let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let answers = connection.route_command(info, masters).await?;
                let infos: BTreeMap<String, String> = redis::from_redis_value(answers)?;
                Ok(infos.into_values().collect())
            }
        }
    }
}

/// A hub's way to the store, on which faults happen.
pub enum Way {
    One(Proxy),
    Cluster(ClusterProxy),
}

impl Way {
    pub async fn to(store: &Store) -> Self {
        match store {
            Store::One(server) => Way::One(Proxy::to(&server.address()).await),
            Store::Cluster(cluster) => Way::Cluster(ClusterProxy::to(cluster).await),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Way::One(proxy) => proxy.url(),
            Way::Cluster(proxy) => proxy.url(),
        }
    }

    /// One for each server.
    pub fn proxies(&self) -> &[Proxy] {
        match self {
            Way::One(proxy) => std::slice::from_ref(proxy),
            Way::Cluster(proxy) => &proxy.proxies,
        }
    }
}
