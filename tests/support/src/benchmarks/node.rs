//! Benchmark peers that run in Node, installed beside the benchmark's program, with the versions of
//! their own lock files.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// The folder of the installed peer `name`; `None`, with a message, without Node or if its packages
/// cannot be installed.
pub fn dir(peers: &str, name: &str, program: &str) -> Option<PathBuf> {
    install(peers, name, program)
        .inspect_err(|error| eprintln!("without the Node peer {name}: {error}"))
        .ok()
}

fn install(peers: &str, name: &str, program: &str) -> io::Result<PathBuf> {
    let from = paths::workspace().join(peers).join(name);
    let to = std::env::current_exe()?.with_file_name("bench-peers").join(name);
    std::fs::create_dir_all(&to)?;
    let lock = |dir: &Path| std::fs::read(dir.join("package-lock.json")).ok();
    // Written by npm at the end of an installation.
    let is_installed = to.join("node_modules/.package-lock.json").exists()
        && lock(&from).is_some_and(|new| lock(&to) == Some(new));
    for file in ["package.json", "package-lock.json", program] {
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file))?;
        }
    }
    if is_installed {
        return Ok(to);
    }
    // `npm ci` rejects a lock file without the packages for other platforms, as some peers have.
    let is_locked = from.join("package-lock.json").exists();
    let how: &[&str] =
        if is_locked { &["ci"] } else { &["install", "--no-package-lock", "--omit=optional"] };
    let npm = Command::new("npm")
        .args(how)
        .args(["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(&to)
        .status()?;
    match npm.success() {
        true => Ok(to),
        false => Err(io::Error::other(format!("npm: {npm}"))),
    }
}
