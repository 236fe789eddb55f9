//! Reads which servers are masters: from the nodes of a cluster, or from Sentinel.

use std::collections::HashSet;

use redis::aio::MultiplexedConnection;
use redis::{Client, ErrorKind, RedisError, RedisResult, Value, from_redis_value};
use shared::cluster::{Kind, RedisAddress, Server, SlotMap};
use tokio::time::timeout;

use super::connection::{away, connect};
use super::servers::Servers;
use crate::limits::{REDIS_MAP_DEADLINE, REDIS_MASTER_SILENT};

/// Reads maps, one after the other.
#[derive(Default)]
pub(super) struct MapReader {
    /// Moves on with each read, so that each master is asked.
    turn: usize,
    /// The epoch of the last map: the cluster counts it up with each failover and moved slot.
    epoch: u64,
    /// The Sentinel that answered last.
    sentinel: Option<(Server, MultiplexedConnection)>,
}

impl MapReader {
    /// Asks one server after the other until one gives a map that is at least as new as the last one.
    ///
    /// # Errors
    /// None does; the last server's error.
    pub(super) async fn read(&mut self, servers: &Servers) -> RedisResult<SlotMap> {
        match &servers.topology.address().kind {
            Kind::One => Ok(SlotMap::clone(&servers.topology.current())),
            Kind::Cluster => self.read_cluster(servers).await,
            Kind::Sentinel { master } => self.read_sentinels(servers, master).await,
        }
    }

    async fn read_cluster(&mut self, servers: &Servers) -> RedisResult<SlotMap> {
        let mut older: Option<(u64, SlotMap)> = None;
        let mut last = away("no server of the Redis Cluster could be asked");
        for server in self.candidates(servers) {
            match ask_node(servers, &server).await {
                Ok((epoch, map)) if epoch >= self.epoch => {
                    self.epoch = epoch;
                    return Ok(map);
                }
                // A node that lost contact with the majority still tells its old map.
                Ok((epoch, map)) => {
                    if older.as_ref().is_none_or(|(known, _)| *known < epoch) {
                        older = Some((epoch, map));
                    }
                }
                Err(error) => {
                    tracing::debug!(%server, %error, "a node does not tell the map");
                    last = error;
                }
            }
        }
        // Nobody knows that epoch any more: the cluster was made anew.
        let (epoch, map) = older.ok_or(last)?;
        self.epoch = epoch;
        Ok(map)
    }

    /// The masters, those that answer first, then the seeds.
    fn candidates(&mut self, servers: &Servers) -> Vec<Server> {
        let map = servers.topology.current();
        let mut masters = servers.masters(&map);
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % masters.len().max(1);
        masters.rotate_left(first);
        masters.sort_by_key(|it| !it.is_connected || it.silent_for > REDIS_MASTER_SILENT / 3);
        let masters = masters.into_iter().map(|master| master.server);
        let seeds = servers.topology.address().seeds.iter().cloned();
        let mut named = HashSet::new();
        masters.chain(seeds).filter(|server| named.insert(server.clone())).collect()
    }

    async fn read_sentinels(&mut self, servers: &Servers, name: &str) -> RedisResult<SlotMap> {
        let address = servers.topology.address();
        let mut last = away("no Sentinel could be asked");
        let kept = self.sentinel.take();
        let mut seeds: Vec<&Server> = address.seeds.iter().collect();
        seeds.sort_by_key(|seed| kept.as_ref().is_none_or(|(asked, _)| asked != *seed));
        let mut kept = kept.map(|(_, connection)| connection);
        for sentinel in seeds {
            // The connection is that of the first one.
            let asking = ask_sentinel(address, sentinel, kept.take(), name);
            let named = timeout(REDIS_MAP_DEADLINE, asking).await;
            let named = named.unwrap_or_else(|_| Err(away("no answer in time")));
            let believed = match named {
                Ok((master, connection)) => is_master(servers, &master)
                    .await
                    .map(|()| (master, (sentinel.clone(), connection))),
                Err(error) => Err(error),
            };
            match believed {
                Ok((master, asked)) => {
                    self.sentinel = Some(asked);
                    return Ok(SlotMap::of_one(master));
                }
                Err(error) => {
                    tracing::debug!(%sentinel, %error, "a Sentinel names no master");
                    last = error;
                }
            }
        }
        Err(last)
    }
}

/// The map as a node knows it, and its epoch.
async fn ask_node(servers: &Servers, server: &Server) -> RedisResult<(u64, SlotMap)> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    let connection = servers.get(server);
    let answers = match timeout(REDIS_MAP_DEADLINE, connection.send(&pipeline)).await {
        Ok(answers) => answers.map_err(|failure| failure.error)?,
        Err(_) => return Err(away("no answer in time")),
    };
    let mut answers = answers.into_iter();
    let (info, slots) = (answers.next(), answers.next());
    let slots = slots.unwrap_or(Value::Nil).extract_error()?;
    let map = parse_slots(slots, server)
        .map_err(|why| RedisError::from((ErrorKind::UnexpectedReturnType, why)))?;
    Ok((info.and_then(parse_epoch).unwrap_or_default(), map))
}

fn parse_epoch(info: Value) -> Option<u64> {
    let info: String = from_redis_value(info).ok()?;
    info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:"))?.trim().parse().ok()
}

/// The answer of `CLUSTER SLOTS`. A range without a known address is left out.
fn parse_slots(answer: Value, asked: &Server) -> Result<SlotMap, &'static str> {
    const NO_SLOTS: &str = "the node knows no slots";
    let Value::Array(ranges) = answer else { return Err(NO_SLOTS) };
    let mut has_unnamed = false;
    let range = |range: Value| {
        let Value::Array(parts) = range else { return None };
        let mut parts = parts.into_iter();
        let (first, last, master) = (parts.next()?, parts.next()?, parts.next()?);
        let Value::Array(master) = master else { return None };
        let mut master = master.into_iter();
        let (host, port) = (master.next()?, master.next()?);
        let host: Option<String> = from_redis_value(host).ok()?;
        let host = match host.as_deref() {
            // `cluster-preferred-endpoint-type unknown-endpoint`.
            None | Some("") => asked.host.clone(),
            // A node that is to have a hostname and has none.
            Some("?") => {
                has_unnamed = true;
                return None;
            }
            Some(host) => host.to_owned(),
        };
        let server = Server { host, port: from_redis_value(port).ok()? };
        Some((from_redis_value(first).ok()?, from_redis_value(last).ok()?, server))
    };
    match SlotMap::of_cluster(ranges.into_iter().filter_map(range)) {
        Some(map) => Ok(map.with_unnamed(has_unnamed)),
        None => Err(if has_unnamed { SlotMap::UNNAMED } else { NO_SLOTS }),
    }
}

/// The server that a Sentinel names, and the connection to the Sentinel.
async fn ask_sentinel(
    address: &RedisAddress,
    sentinel: &Server,
    kept: Option<MultiplexedConnection>,
    name: &str,
) -> RedisResult<(Server, MultiplexedConnection)> {
    let question = async |connection: &mut MultiplexedConnection| {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        question.query_async::<Option<(String, u16)>>(connection).await
    };
    let mut connection = match kept {
        Some(connection) => connection,
        None => connect(&Client::open(address.open_url_of(sentinel))).await?,
    };
    let mut answer = question(&mut connection).await;
    // The credentials are Redis's; only a Sentinel that wants some gets them.
    if answer.as_ref().is_err_and(|error| error.code() == Some("NOAUTH")) {
        connection = connect(&Client::open(address.url_of(sentinel))).await?;
        answer = question(&mut connection).await;
    }
    match answer? {
        Some((host, port)) => Ok((Server { host, port }, connection)),
        None => Err(RedisError::from((
            ErrorKind::MasterNameNotFoundBySentinel,
            "Sentinel knows no master of this name",
        ))),
    }
}

/// Asks a server that was not the master before whether it is: a Sentinel without contact to the
/// others names a former one.
async fn is_master(servers: &Servers, server: &Server) -> RedisResult<()> {
    let map = servers.topology.current();
    if servers.topology.is_known() && map.servers() == std::slice::from_ref(server) {
        return Ok(());
    }
    let mut pipeline = redis::pipe();
    pipeline.cmd("ROLE");
    let connection = servers.get(server);
    let answers = match timeout(REDIS_MAP_DEADLINE, connection.send(&pipeline)).await {
        Ok(answers) => answers.map_err(|failure| failure.error)?,
        Err(_) => return Err(away("the master that Sentinel names does not answer")),
    };
    match answers.into_iter().next().unwrap_or(Value::Nil) {
        // Whoever may not ask believes.
        Value::ServerError(error) if error.code() == "NOPERM" => Ok(()),
        Value::ServerError(error) => Err(error.into()),
        role if says_master(&role) => Ok(()),
        _ => Err(away("the server that Sentinel names is not a master (yet)")),
    }
}

fn says_master(role: &Value) -> bool {
    let Value::Array(parts) = role else { return false };
    matches!(parts.first(), Some(Value::BulkString(role)) if role == b"master")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    fn asked() -> Server {
        Server { host: "asked".to_owned(), port: 7000 }
    }

    fn owner(map: &SlotMap, slot: u16) -> Option<String> {
        Some(map.servers()[map.position_of_slot(slot)?].to_string())
    }

    #[test]
    fn slots_are_read_with_their_masters_only() {
        let answer = value(
            "*2\r\n*4\r\n:0\r\n:8000\r\n*4\r\n$8\r\n10.0.0.1\r\n:7001\r\n$2\r\nid\r\n*0\r\n\
             *3\r\n$8\r\n10.0.0.9\r\n:7009\r\n$3\r\nid2\r\n\
             *3\r\n:8001\r\n:16383\r\n*3\r\n$4\r\nhost\r\n:7002\r\n$2\r\nid\r\n",
        );
        let map = parse_slots(answer, &asked()).unwrap();
        assert_eq!(map.servers().len(), 2);
        assert_eq!(owner(&map, 8000).as_deref(), Some("10.0.0.1:7001"));
        assert_eq!(owner(&map, 8001).as_deref(), Some("host:7002"));
    }

    #[test]
    fn a_host_may_be_missing() {
        for host in ["$-1\r\n", "$0\r\n\r\n"] {
            let text = format!("*1\r\n*3\r\n:5\r\n:6\r\n*3\r\n{host}:7001\r\n$2\r\nid\r\n");
            let map = parse_slots(value(&text), &asked()).unwrap();
            assert_eq!(owner(&map, 5).as_deref(), Some("asked:7001"));
            assert_eq!(owner(&map, 7), None);
        }
        let text = "*1\r\n*3\r\n:5\r\n:6\r\n*3\r\n$1\r\n?\r\n:7001\r\n$2\r\nid\r\n";
        assert_eq!(parse_slots(value(text), &asked()), Err(SlotMap::UNNAMED));
        for other in ["*0\r\n", "+OK\r\n", "*1\r\n:5\r\n", "*1\r\n*1\r\n:5\r\n"] {
            assert_eq!(
                parse_slots(value(other), &asked()),
                Err("the node knows no slots"),
                "{other}"
            );
        }
    }

    #[test]
    fn the_epoch_is_read() {
        let info = "$49\r\ncluster_state:ok\r\ncluster_current_epoch:12\r\nx:1\r\n\r\n";
        assert_eq!(parse_epoch(value(info)), Some(12));
        assert_eq!(parse_epoch(Value::Nil), None);
    }

    #[test]
    fn only_a_master_says_so() {
        assert!(says_master(&value("*3\r\n$6\r\nmaster\r\n:5\r\n*0\r\n")));
        assert!(!says_master(&value("*1\r\n$5\r\nslave\r\n")));
        assert!(!says_master(&value("+master\r\n")));
    }
}
