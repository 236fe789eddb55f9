//! Paths of the programs under test.

use std::path::{Path, PathBuf};

/// The checkout.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A native program, built with the release profile.
pub fn program(name: &str) -> PathBuf {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    };
    existing(target.join("release").join(name))
}

/// The manifest; fails if its components are not built.
pub fn manifest() -> PathBuf {
    let manifest = workspace().join("spin.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let sources = text.lines().filter_map(|line| line.strip_prefix("source = \""));
    for source in sources {
        existing(workspace().join(source.trim_end_matches('"')));
    }
    manifest
}

/// A built component.
pub fn component(id: &str) -> PathBuf {
    // Cargo replaces - with _.
    let file = id.replace('-', "_");
    existing(workspace().join(format!("target/wasm32-wasip2/component/{file}.wasm")))
}

/// A component built without SQLite.
pub fn without_sqlite(id: &str) -> PathBuf {
    let path = workspace().join(format!("target/without-sqlite/wasm32-wasip2/component/{id}.wasm"));
    let built = path.is_file();
    assert!(built, "{} is missing: run `scripts/build without-sqlite` first", path.display());
    path
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is missing: run `make build` first", path.display());
    path
}
