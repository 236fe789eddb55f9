//! Replicas: streaming, synchronous or not, cut off, promoted.

use super::{Postgres, as_postgres, data, directory, output};
use crate::wait::eventually;

impl Postgres {
    /// A new replica, which streams and has caught up. It serves reads until it is promoted.
    pub async fn replica(&self) -> Self {
        let dir = directory();
        let source = format!("host=127.0.0.1 port={} user=postgres", self.port);
        let mut copy = as_postgres("pg_basebackup");
        // `-R` makes the copy a replica of its source.
        copy.args(["-d", &source, "-R", "-c", "fast", "--no-sync", "-D"]).arg(data(dir.path()));
        output(&mut copy);
        let replica = Self::start_in(dir, self.settings.clone()).await;
        self.until_replicated().await;
        replica
    }

    /// Waits until the replicas that stream, at least one, have replayed everything.
    pub async fn until_replicated(&self) {
        let behind = "SELECT count(*), count(*) FILTER (WHERE state <> 'streaming' OR
            replay_lsn IS DISTINCT FROM pg_current_wal_lsn()) FROM pg_stat_replication";
        eventually("the replica has caught up", async || {
            let counts = self.run(behind);
            let (replicas, behind) = counts.split_once('|').unwrap();
            (replicas != "0" && behind == "0").then_some(())
        })
        .await;
    }

    /// From now on a commit waits for a replica, as far as `synchronous_commit` says.
    pub async fn commit_synchronously(&self, synchronous_commit: &str) {
        self.set("synchronous_standby_names", "*");
        self.set("synchronous_commit", synchronous_commit);
        eventually("the replica is synchronous", async || {
            let states = self.run("SELECT sync_state FROM pg_stat_replication");
            (states == "sync").then_some(())
        })
        .await;
    }

    /// Commits wait for no replica any more, also those that wait now.
    pub fn commit_alone(&self) {
        self.set("synchronous_standby_names", "");
    }

    /// Changes a setting while it runs.
    fn set(&self, name: &str, value: &str) {
        self.run(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.run("SELECT pg_reload_conf()");
    }

    /// As a replica: receives no more from its primary. It misses everything that is committed
    /// there after this.
    pub async fn stop_streaming(&self) {
        self.set("primary_conninfo", "");
        eventually("the replica streams no more", async || {
            (self.run("SELECT count(*) FROM pg_stat_wal_receiver") == "0").then_some(())
        })
        .await;
    }

    /// Makes a replica a primary; returns when it takes writes.
    pub fn promote(&self) {
        assert_eq!(self.run("SELECT pg_promote(true, 15)"), "t", "{}", self.output());
    }
}
