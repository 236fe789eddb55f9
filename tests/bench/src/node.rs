//! Peers that run in Node, installed into the target directory with the versions of their own files.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use support::process::Process;
use support::{eventually_within, paths, ports};

const START_LIMIT: Duration = Duration::from_secs(20);

/// The peer of `cache`, a server on a free port.
pub struct Node {
    process: Process,
    pub port: u16,
}

impl Node {
    /// `None` where there is no Node or its packages cannot be installed.
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

/// Where a peer lies when it is installed; `None`, with a word, where there is no Node or its packages
/// cannot be had.
pub fn dir(name: &str, program: &str) -> Option<PathBuf> {
    install(name, program)
        .inspect_err(|error| eprintln!("without the Node peer {name}: {error:#}"))
        .ok()
}

fn install(name: &str, program: &str) -> Result<PathBuf> {
    let from = paths::workspace().join("tests/bench/peers").join(name);
    let to = paths::program("bench").with_file_name("bench-peers").join(name);
    std::fs::create_dir_all(&to)?;
    for file in ["package.json", "package-lock.json", program] {
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file)).with_context(|| file.to_owned())?;
        }
    }
    // `npm ci` refuses a lock file without the packages for other platforms, which some have.
    let is_locked = from.join("package-lock.json").exists();
    let how: &[&str] =
        if is_locked { &["ci"] } else { &["install", "--no-package-lock", "--omit=optional"] };
    let npm = Command::new("npm")
        .args(how)
        .args(["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(&to)
        .status()
        .context("npm")?;
    ensure!(npm.success(), "npm: {npm}");
    Ok(to)
}
