//! The record's file, seen from outside: read, disturbed, swapped and restored by tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

/// A database file in a directory of its own, together with the runtime configuration that names
/// it. Clones share it, and so do hosts.
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

    /// In a directory of its own below `parent`.
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

    /// The file that both hosts take with `--runtime-config-file`.
    pub fn runtime_config(&self) -> PathBuf {
        self.dir.path().join("runtime-config.toml")
    }

    /// A second connection to the database, beside the functions.
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

    /// The user's counter, 0 before the first create.
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

    /// Copies the database as it lies on the disk. Nobody may have it open.
    pub fn save(&self) -> Saved {
        let files = self.files().into_iter();
        Saved(files.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect())
    }

    /// Puts an older copy back. Nobody may have the database open.
    pub fn restore(&self, saved: &Saved) {
        self.remove();
        for (path, bytes) in &saved.0 {
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Removes the database, as if it had never been. Nobody may have it open.
    pub fn remove(&self) {
        for path in self.files() {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// The database with its log and index: what is not checkpointed yet lies in the log.
    fn files(&self) -> Vec<PathBuf> {
        let names = ["record.db", "record.db-wal", "record.db-shm"];
        names.map(|name| self.dir.path().join(name)).into_iter().filter(|f| f.exists()).collect()
    }
}

/// A copy of a database.
pub struct Saved(Vec<(PathBuf, Vec<u8>)>);
