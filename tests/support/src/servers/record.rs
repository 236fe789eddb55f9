//! The record's database file: tests read, disturb, swap and restore it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

/// A database file in a directory of its own, with the runtime configuration that names it. Clones,
/// and the hosts that use it, share it.
#[derive(Clone)]
pub struct Record {
    dir: Arc<TempDir>,
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

impl Record {
    pub fn new() -> Self {
        Self::lying_in(&std::env::temp_dir())
    }

    /// A record in a directory of its own below `parent`.
    pub fn lying_in(parent: &Path) -> Self {
        let dir = tempfile::tempdir_in(parent).unwrap();
        let record = Self { dir: Arc::new(dir) };
        let path = record.path();
        let config =
            format!("[sqlite_database.default]\ntype = \"spin\"\npath = \"{}\"\n", path.display());
        std::fs::write(record.runtime_config(), config).unwrap();
        record
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("record.db")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The file for `--runtime-config-file` of both hosts.
    pub fn runtime_config(&self) -> PathBuf {
        self.dir.path().join("runtime-config.toml")
    }

    /// Another connection to the database, besides the functions'.
    pub fn open(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }

    /// One value of one row.
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub fn epoch(&self) -> String {
        self.value("SELECT epoch FROM record")
    }

    /// The user's counter; 0 before the first create.
    pub fn seq(&self, user: &str) -> i64 {
        let sql = "SELECT coalesce(max(seq), 0) FROM feed WHERE user_id = ?1";
        self.open().query_row(sql, [user], |row| row.get(0)).unwrap()
    }

    /// Ids of a user's entries, newest first.
    pub fn ids(&self, user: &str) -> Vec<String> {
        let connection = self.open();
        let sql = "SELECT id FROM notifications WHERE user_id = ?1 ORDER BY seq DESC";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([user], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Copies the database files. The database must not be open.
    pub fn save(&self) -> Saved {
        let files = self.files().into_iter();
        Saved(files.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect())
    }

    /// Restores an older copy. The database must not be open.
    pub fn restore(&self, saved: &Saved) {
        self.remove();
        for (path, bytes) in &saved.0 {
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Deletes the database. It must not be open.
    pub fn remove(&self) {
        for path in self.files() {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// The database with its log, which contains the latest changes, and its index.
    fn files(&self) -> Vec<PathBuf> {
        let names = ["record.db", "record.db-wal", "record.db-shm"];
        names.map(|name| self.dir.path().join(name)).into_iter().filter(|f| f.exists()).collect()
    }
}

/// A copy of a database.
pub struct Saved(Vec<(PathBuf, Vec<u8>)>);
