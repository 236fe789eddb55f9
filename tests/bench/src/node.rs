//! The peers that run in Node.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::process::Process;
use support::{eventually_within, node, ports};

const START_LIMIT: Duration = Duration::from_secs(20);

/// The peer of `cache`, a server on a free port.
pub struct Node {
    process: Process,
    pub port: u16,
}

impl Node {
    /// `None` without Node, or if its packages cannot be installed.
    pub async fn start(redis_url: &str, origin_url: &str) -> Option<Self> {
        let dir = dir("cache-node", "server.js")?;
        let port = ports::free();
        let mut command = Command::new("node");
        command.arg(dir.join("server.js")).args([&port.to_string(), redis_url, origin_url]);
        let process = Process::start("node", &mut command);
        eventually_within(START_LIMIT, "the Node peer listens", async || {
            process.has_printed("listening").then_some(())
        })
        .await;
        Some(Self { process, port })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// The folder of a peer of these benchmarks; `None`, with a message, if it cannot be installed.
pub fn dir(name: &str, program: &str) -> Option<PathBuf> {
    node::dir("tests/bench/peers", name, program)
}
