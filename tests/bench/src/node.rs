//! The peers that run in Node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::process::Process;
use support::{eventually_within, jwt, node, ports};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A peer that serves HTTP on a free port.
pub struct Node {
    process: Process,
    port: u16,
}

impl Node {
    /// The peer of `cache`; `None` without Node, or if its packages cannot be installed.
    pub async fn cache(redis_url: &str, origin_url: &str) -> Option<Self> {
        let program = dir("cache-node", "server.js")?.join("server.js");
        let port = ports::free();
        let mut command = Command::new("node");
        command.arg(program).args([&port.to_string(), redis_url, origin_url]);
        Some(Self::start(&mut command, port).await)
    }

    /// The peer of `nest` and `bulk`, likewise, with its own database.
    pub async fn nest(redis_url: &str, database_url: &str) -> Option<Self> {
        let dir = dir("nest", "dist/main.js")?;
        let port = ports::free();
        let mut command = Command::new("node");
        command.arg(dir.join("dist/main.js")).envs([
            ("NODE_ENV", "production"),
            ("PORT", &port.to_string()),
            ("REDIS_URL", redis_url),
            ("DATABASE_URL", database_url),
            ("JWT_SECRET", jwt::KEY),
        ]);
        Some(Self::start(&mut command, port).await)
    }

    async fn start(command: &mut Command, port: u16) -> Self {
        let mut process = Process::start("node", command);
        eventually_within(START_LIMIT, "the Node peer listens", async || {
            assert!(process.exit_status().is_none(), "{}", process.output());
            process.has_printed("listening").then_some(())
        })
        .await;
        Self { process, port }
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// The folder of a peer of these benchmarks; `None`, with a message, if it cannot be installed.
pub fn dir(name: &str, program: &str) -> Option<PathBuf> {
    node::dir("tests/bench/peers", name, program)
}
