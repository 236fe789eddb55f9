//! The Node peer of `cache`: installed into the target directory with the locked versions, started
//! on a free port.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use support::process::Process;
use support::{eventually_within, paths, ports};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running peer.
pub struct Node {
    process: Process,
    pub port: u16,
}

impl Node {
    /// `None` where there is no Node or its packages cannot be installed.
    pub async fn start(redis_url: &str, origin_url: &str) -> Option<Self> {
        let dir = match install() {
            Ok(dir) => dir,
            Err(error) => {
                eprintln!("without the Node peer: {error:#}");
                return None;
            }
        };
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

fn install() -> Result<PathBuf> {
    let from = paths::workspace().join("tests/bench/peers/cache-node");
    let to = paths::program("bench").with_file_name("bench-peers").join("cache-node");
    std::fs::create_dir_all(&to)?;
    for file in ["package.json", "package-lock.json", "server.js"] {
        std::fs::copy(from.join(file), to.join(file)).with_context(|| file.to_owned())?;
    }
    let npm = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(&to)
        .status()
        .context("npm")?;
    ensure!(npm.success(), "npm ci: {npm}");
    Ok(to)
}
