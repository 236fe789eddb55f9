//! Counts calls to Redis with `INFO`, and with `MONITOR`, which distinguishes the commands of
//! clients from those of scripts.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use redis::aio::MultiplexedConnection;
use support::RedisServer;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Ends a count: `MONITOR` shows it after all earlier commands.
const END: &str = "bench-counted";

/// A running count.
pub struct Counter {
    control: MultiplexedConnection,
    before: Totals,
    monitor: JoinHandle<Result<Commands>>,
}

/// The counters of Redis since its start.
#[derive(Clone, Copy, Debug)]
struct Totals {
    scripts: u64,
    connections: u64,
}

/// Commands by name.
#[derive(Debug, Default)]
struct Commands {
    by_clients: BTreeMap<String, u64>,
    by_scripts: u64,
}

/// The calls during a count.
#[derive(Debug)]
pub struct Counted {
    /// EVALSHA and EVAL.
    pub scripts: u64,
    /// All other commands of clients, by name.
    pub others: BTreeMap<String, u64>,
    /// Commands called by scripts.
    pub in_scripts: u64,
    pub connections: u64,
}

impl Counter {
    pub async fn start(redis: &RedisServer) -> Result<Self> {
        // First, so that the commands of its connection are not counted.
        let mut control = redis.connection().await;
        let mut stream = BufReader::new(TcpStream::connect(redis.address()).await?);
        stream.write_all(b"MONITOR\r\n").await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if !line.starts_with("+OK") {
            bail!("MONITOR: {line}");
        }
        let monitor = tokio::spawn(watch(stream));
        let before = Totals::read(&mut control).await?;
        Ok(Self { control, before, monitor })
    }

    pub async fn finish(mut self) -> Result<Counted> {
        let after = Totals::read(&mut self.control).await?;
        let _: String = redis::cmd("PING").arg(END).query_async(&mut self.control).await?;
        let Commands { mut by_clients, by_scripts } = self.monitor.await??;
        // The commands of the count itself, and the scripts.
        by_clients.retain(|name, _| !matches!(name.as_str(), "info" | "evalsha" | "eval"));
        Ok(Counted {
            scripts: after.scripts - self.before.scripts,
            others: by_clients,
            in_scripts: by_scripts,
            connections: after.connections - self.before.connections,
        })
    }
}

impl Totals {
    async fn read(control: &mut MultiplexedConnection) -> Result<Self> {
        let info: String = redis::cmd("INFO").arg("all").query_async(control).await?;
        let calls = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.strip_prefix(":calls=")?.split(',').next()?.parse().ok())
        };
        let connections = info
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:")?.parse().ok());
        Ok(Self {
            scripts: calls("cmdstat_evalsha").unwrap_or(0) + calls("cmdstat_eval").unwrap_or(0),
            connections: connections.context("INFO without total_connections_received")?,
        })
    }
}

/// Lines like `+1700000000.1 [0 127.0.0.1:5] "GET" "key"`; a script's say `[0 lua]`.
async fn watch(stream: BufReader<TcpStream>) -> Result<Commands> {
    let mut commands = Commands::default();
    let mut lines = stream.split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line);
        if line.contains(END) {
            return Ok(commands);
        }
        let Some((origin, command)) = line.split_once("] \"") else { continue };
        if origin.ends_with(" lua") {
            commands.by_scripts += 1;
        } else {
            let name = command.split('"').next().unwrap_or_default().to_ascii_lowercase();
            *commands.by_clients.entry(name).or_default() += 1;
        }
    }
    bail!("Redis ended the count")
}
