//! The masters to look at, each with a connection or the reason why there is none.

use std::time::Duration;

use futures_util::future::join_all;
use native::redis::{RedisTarget, Topology};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult, cmd};
use shared::cluster::Server;

use super::short;

/// A server with keys.
pub struct Master {
    pub server: Server,
    pub connection: Result<MultiplexedConnection, String>,
}

/// Every master that is known; of a single server it is that one, connected.
///
/// # Errors
/// No server can be asked, within `limit`, or the cluster has no master.
pub async fn masters(target: &RedisTarget, limit: Duration) -> Result<Vec<Master>, String> {
    let topology = target.topology();
    let config = config(&topology, limit);
    let mut problem = "no server is known".to_owned();
    for seed in &topology.address().seeds {
        match connect(&topology, seed, &config).await {
            Ok(connection) if topology.is_one() => {
                return Ok(vec![Master { server: seed.clone(), connection: Ok(connection) }]);
            }
            Ok(connection) if topology.is_cluster() => {
                return of_cluster(&topology, connection, &config).await;
            }
            Ok(_) => {
                let text = "doctor looks at single servers and clusters, not behind Sentinel: give \
                            it the master";
                return Err(text.to_owned());
            }
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

/// Each answer may take `limit`. So may the connection to a single server; those to the servers of a
/// cluster have a part each, so that one that hangs leaves time for the others.
fn config(topology: &Topology, limit: Duration) -> AsyncConnectionConfig {
    let seeds = u32::try_from(topology.address().seeds.len()).unwrap_or(u32::MAX);
    let part = if topology.is_one() { limit } else { limit / seeds.saturating_add(1) };
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(part))
        .set_response_timeout(Some(limit))
}

async fn connect(
    topology: &Topology,
    server: &Server,
    config: &AsyncConnectionConfig,
) -> Result<MultiplexedConnection, String> {
    let client = topology.client_of(server).map_err(|error| short(&error))?;
    let connection = client.get_multiplexed_async_connection_with_config(config).await;
    connection.map_err(|error| short(&error))
}

async fn of_cluster(
    topology: &Topology,
    mut seed: MultiplexedConnection,
    config: &AsyncConnectionConfig,
) -> Result<Vec<Master>, String> {
    let text: RedisResult<String> = cmd("CLUSTER").arg("NODES").query_async(&mut seed).await;
    let servers = with_slots(&text.map_err(|error| short(&error))?)?;
    let masters = servers.into_iter().map(|server| async move {
        let connection = connect(topology, &server, config).await;
        Master { server, connection }
    });
    Ok(join_all(masters).await)
}

/// The masters that have slots, of the answer to `CLUSTER NODES`.
fn with_slots(nodes: &str) -> Result<Vec<Server>, String> {
    let masters: Vec<Server> = nodes.lines().filter_map(master).collect();
    match masters.is_empty() {
        true => Err("the cluster has no master with slots".to_owned()),
        false => Ok(masters),
    }
}

/// `<id> <ip>:<port>@<bus>[,<host name>] <flags> … <slots>` of a master. One that has failed and still
/// has slots has no successor: its slots are not served.
fn master(line: &str) -> Option<Server> {
    let mut words = line.split(' ');
    let (address, flags) = (words.nth(1)?, words.next()?);
    let has_slots = words.nth(5).is_some();
    if !flags.split(',').any(|flag| flag == "master") || !has_slots {
        return None;
    }
    let (address, host_name) = address.split_once(',').unwrap_or((address, ""));
    let (host, port) = address.split('@').next()?.rsplit_once(':')?;
    let host = if host_name.is_empty() { host } else { host_name };
    Some(Server { host: host.to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_with_slots_are_found() {
        let line = "07c3 10.0.0.1:30004@31004,db1 master - 0 1426238317239 4 connected 0-5460";
        let found = master(line).unwrap();
        assert_eq!((&*found.host, found.port), ("db1", 30004));
        for line in [
            "e7d1 127.0.0.1:30002@31002 slave 07c3 0 1426238316232 2 connected",
            "67ed 127.0.0.1:30003@31003 master - 0 1426238316232 2 connected",
            "67ed 127.0.0.1:30003@31003 master,fail - 0 1426238316232 2 disconnected",
            "",
        ] {
            assert!(master(line).is_none(), "{line}");
        }
        for line in [
            "8a 127.0.0.1:1@2 myself,master - 0 0 1 connected 5",
            "67ed 127.0.0.1:30003@31003 master,fail - 0 1426238316232 2 disconnected 1-2",
        ] {
            assert!(master(line).is_some(), "{line}");
        }
    }

    #[test]
    fn a_cluster_without_slots_is_an_error() {
        let nodes = "8a 127.0.0.1:1@2 myself,master - 0 0 1 connected\n";
        assert_eq!(with_slots(nodes).unwrap_err(), "the cluster has no master with slots");
        assert_eq!(with_slots(&format!("{} 5-6\n", nodes.trim())).unwrap().len(), 1);
    }

    #[test]
    fn the_time_limit_of_the_command_is_that_of_redis() {
        let of = |url: &str| {
            let target = RedisTarget::parse(url).unwrap();
            format!("{:?}", config(&target.topology(), Duration::from_secs(6)))
        };
        let one = of("redis://127.0.0.1:1");
        assert!(one.contains("response_timeout: Some(6s), connection_timeout: Some(6s)"), "{one}");
        let cluster = of("redis+cluster://127.0.0.1:1,127.0.0.1:2");
        assert!(cluster.contains("connection_timeout: Some(2s)"), "{cluster}");
    }
}
