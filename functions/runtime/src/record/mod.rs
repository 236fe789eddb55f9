//! The record: the source of truth for notifications, push tokens, devices and preferences, in an
//! SQL database.
//!
//! Each statement is a file of its own, with the same name, parameters and columns in `sql/sqlite`
//! and `sql/postgres`; the two databases differ in nothing else. A `feed` row per user holds the
//! counter and is also the outbox: pending means `sent_seq < seq`.

mod devices;
mod entries;
mod errors;
mod group_commit;
mod imports;
mod keys;
mod pending;
mod push_jobs;
mod rows;
mod statements;
mod tokens;
mod types;

pub use devices::{AddressedDevice, Addresses, KnownDevice};
pub use errors::RecordError;
pub use group_commit::GroupCommit;
pub use push_jobs::{ClaimedPush, DelayedPush, PushEntry, PushJobId};
pub use tokens::{Assignment, Pruned, TokenRow, Written};
pub use types::{
    Created, Deleted, Entry, Idempotency, ImportedEntry, Marked, Marks, NewEntry, Outcome, Pending,
    RedisRun, Retention, Revision, Shown, Window,
};

use crate::ports::sql::{Backend, Failure, Sql, SqlError, Value};
use rows::Rows;
use statements::{STATEMENT_END, Statements};

/// The readiness probes of all hosts together write at most once per this many milliseconds.
pub const WRITE_CHECK_MS: i64 = 10_000;

/// Repeats of a statement that was rolled back. Postgres reports a deadlock after a second
/// (`deadlock_timeout`).
const RETRIES_MAX: usize = 3;

/// The record in a database. Each operation is one statement unless its documentation says
/// otherwise.
pub struct Record<S> {
    sql: S,
    statements: Statements,
    /// Makes a random epoch.
    fresh_epoch: fn() -> String,
}

impl<S: Sql> Record<S> {
    /// The record in `sql`, with the statements of `backend`. `fresh_epoch` makes a random word.
    pub fn new(sql: S, backend: Backend, fresh_epoch: fn() -> String) -> Self {
        Self { sql, statements: Statements(backend), fresh_epoch }
    }

    /// The database, for statements of the caller.
    pub fn sql(&self) -> &S {
        &self.sql
    }

    /// Creates or upgrades the tables (several statements, idempotent).
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn migrate(&self) -> Result<(), RecordError> {
        for statement in
            self.statements.migrations().iter().flat_map(|all| all.split(STATEMENT_END))
        {
            let epoch = || Value::Text((self.fresh_epoch)());
            let parameters = Vec::from_iter(statement.contains("?1").then(epoch));
            let mut outcome = self.sql.query(statement.trim(), parameters.clone()).await;
            if outcome.as_ref().is_err_and(|error| error.failure == Failure::Locked) {
                outcome = self.sql.query(statement.trim(), parameters).await;
            }
            match outcome {
                Err(error) if error.failure == Failure::ColumnExists => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Checks that the record accepts writes. It writes a row only if the last check that wrote, of
    /// any host, is older than [`WRITE_CHECK_MS`].
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn check_writable(&self, now_ms: i64) -> Result<(), RecordError> {
        let parameters = vec![Value::Int(now_ms), Value::Int(now_ms - WRITE_CHECK_MS)];
        self.run(self.statements.write_check(), parameters).await.map(drop)
    }

    async fn run(&self, statement: &str, parameters: Vec<Value>) -> Result<Rows, RecordError> {
        self.repeating(async || self.sql.query(statement, parameters.clone()).await).await
    }

    /// As `run`, for a statement that returns at most one row.
    async fn run_row(&self, statement: &str, parameters: Vec<Value>) -> Result<Rows, RecordError> {
        let row = async || self.sql.query_row(statement, parameters.clone()).await;
        self.repeating(async || row().await.map(Vec::from_iter)).await
    }

    async fn repeating(
        &self,
        mut run: impl AsyncFnMut() -> Result<Rows, SqlError>,
    ) -> Result<Rows, RecordError> {
        let mut outcome = run().await;
        for _ in 0..RETRIES_MAX {
            match outcome.as_ref().map_err(|error| error.failure) {
                // The database is new, older than this code, or was replaced.
                Err(Failure::NotMigrated) => self.migrate().await?,
                Err(Failure::Deadlock) => {}
                _ => break,
            }
            outcome = run().await;
        }
        Ok(outcome?)
    }
}
