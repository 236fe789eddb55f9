//! The runtime configuration file and the state directory: the locations of SQLite databases.
//!
//! Rejects unknown keys, so that no setting is silently ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::manifest::Manifest;
use crate::sqlite::Location;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    state_dir: Option<String>,
    #[serde(default)]
    sqlite_database: BTreeMap<String, Database>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    #[serde(rename = "type")]
    kind: String,
    path: Option<PathBuf>,
    #[serde(default)]
    allow_attach_file: bool,
}

/// Database label → location; always contains `default`. An empty `state_dir` (the flag) means
/// none. Relative paths in the file are relative to the working directory, as in Spin.
pub(crate) fn databases(
    file: Option<&Path>,
    state_dir: Option<&str>,
    manifest_dir: &Path,
) -> anyhow::Result<BTreeMap<String, Location>> {
    let file = match file {
        None => File::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the runtime config {}", path.display()))?;
            toml::from_str(&text)
                .with_context(|| format!("in the runtime config {}", path.display()))?
        }
    };
    let mut databases = BTreeMap::new();
    for (label, database) in file.sqlite_database {
        if database.kind != "spin" {
            bail!("sqlite_database.{label}: type {:?} is not supported here", database.kind);
        }
        let path = database.path.map(absolute).transpose()?;
        let allow_attach_file = database.allow_attach_file;
        databases.insert(label, Location { path, allow_attach_file });
    }
    let state_dir = match state_dir.or(file.state_dir.as_deref()) {
        None => Some(manifest_dir.join(".spin")),
        Some("") => None,
        Some(path) => Some(absolute(path)?),
    };
    databases.entry("default".into()).or_insert(Location {
        path: state_dir.map(|dir| dir.join("sqlite_db.db")),
        allow_attach_file: false,
    });
    Ok(databases)
}

/// Fails if a component uses an undefined database, at the start instead of at the first request.
pub(crate) fn check_databases(
    manifest: &Manifest,
    databases: &BTreeMap<String, Location>,
) -> anyhow::Result<()> {
    for (id, component) in &manifest.components {
        for label in &component.sqlite_databases {
            if !databases.contains_key(label) {
                bail!(
                    "component {id} uses the SQLite database {label:?}, which is not defined: \
                     pass a --runtime-config-file with [sqlite_database.{label}]"
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, state_dir: Option<&str>) -> anyhow::Result<BTreeMap<String, Location>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("runtime.toml");
        std::fs::write(&path, text)?;
        databases(Some(&path), state_dir, Path::new("/app"))
    }

    #[test]
    fn the_default_database_is_in_the_state_directory() {
        let path = |state_dir| {
            databases(None, state_dir, Path::new("/app")).unwrap()["default"].path.clone()
        };
        assert_eq!(path(None), Some("/app/.spin/sqlite_db.db".into()));
        assert_eq!(path(Some("/tmp/s")), Some("/tmp/s/sqlite_db.db".into()));
        assert_eq!(path(Some("")), None);
    }

    #[test]
    fn the_file_defines_databases_and_the_flag_overrides_its_state_dir() {
        let text = "state_dir = '/f'\n[sqlite_database.log]\ntype = 'spin'\npath = '/d/log.db'";
        let found = parse(text, None).unwrap();
        assert_eq!(found["log"].path, Some("/d/log.db".into()));
        assert_eq!(found["default"].path, Some("/f/sqlite_db.db".into()));
        let found = parse(text, Some("/flag")).unwrap();
        assert_eq!(found["default"].path, Some("/flag/sqlite_db.db".into()));
    }

    #[test]
    fn unknown_keys_and_kinds_are_rejected() {
        let error = |text| format!("{:#}", parse(text, None).unwrap_err());
        assert!(error("statedir = ''").contains("unknown field `statedir`"));
        assert!(error("[sqlite_database.x]\ntype = 'libsql'").contains("\"libsql\""));
    }
}
