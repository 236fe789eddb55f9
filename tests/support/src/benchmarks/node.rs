//! Benchmark peers that run in Node, installed beside the benchmark's program, with the versions of
//! their own lock files.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// What a developer's own installation of a peer leaves in its folder.
const MADE: [&str; 3] = ["node_modules", "dist", "generated"];

/// The folder of the installed peer `name`, in which `program` is, compiled by its script `build`
/// if it has one; `None`, with a message, without Node or if its packages cannot be installed.
pub fn dir(peers: &str, name: &str, program: &str) -> Option<PathBuf> {
    install(peers, name, program)
        .inspect_err(|error| eprintln!("without the Node peer {name}: {error}"))
        .ok()
}

fn install(peers: &str, name: &str, program: &str) -> io::Result<PathBuf> {
    let from = paths::workspace().join(peers).join(name);
    let to = std::env::current_exe()?.with_file_name("bench-peers").join(name);
    let lock = |dir: &Path| std::fs::read(dir.join("package-lock.json")).ok();
    // Written by npm at the end of an installation.
    let is_installed = to.join("node_modules/.package-lock.json").exists()
        && lock(&from).is_some_and(|new| lock(&to) == Some(new));
    let is_changed = copy(&from, &to)?;
    if !is_installed {
        npm(&to, &["ci", "--no-audit", "--no-fund", "--ignore-scripts"])?;
    }
    // A peer in TypeScript is compiled.
    if is_changed || !is_installed || !to.join(program).exists() {
        npm(&to, &["run", "build", "--if-present"])?;
    }
    Ok(to)
}

/// Copies a peer's files; returns whether any of them differed.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    std::fs::create_dir_all(to)?;
    let mut is_changed = false;
    for entry in std::fs::read_dir(from)? {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let to = to.join(&name);
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        if from.is_dir() {
            is_changed |= copy(&from, &to)?;
        } else {
            let new = std::fs::read(&from)?;
            if std::fs::read(&to).ok().as_ref() != Some(&new) {
                std::fs::write(&to, new)?;
                is_changed = true;
            }
        }
    }
    Ok(is_changed)
}

fn npm(dir: &Path, arguments: &[&str]) -> io::Result<()> {
    let status = Command::new("npm")
        .args(arguments)
        .arg("--loglevel=error")
        // Prisma generates its client without the schema engine, but would download it.
        .env("PRISMA_SCHEMA_ENGINE_BINARY", std::env::current_exe()?)
        .env("CHECKPOINT_DISABLE", "1")
        .current_dir(dir)
        // Standard output has the tables.
        .stdout(std::io::stderr())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("npm: {status}"))),
    }
}
