//! SQLite through the host: one connection per instance.
//!
//! Rows are always collected and the error future is always checked: the host reports an error of
//! the prepare step as a reply without columns, and unread rows block the statement for ever while
//! it holds the write lock.

mod write_lock;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use spin_sdk::sqlite::{Connection, Error, Value as SqliteValue};
use spin_sdk::time::sleep;

use super::deadline::within;
use super::rows::{self, Expected};
use crate::ports::sql::{Failure, SqlError, Statement, Value};
use write_lock::{Wait, WriteLock};

/// Deadline of a statement, including the wait for the write lock.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(6);

/// Keeps the host from waiting for the write lock itself. It would wait up to 5 s in ever longer
/// sleeps, so that the first to arrive is served last while the lock lies idle. [`WriteLock`]
/// decides when to ask again.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 0";

/// The application's default database.
#[derive(Default)]
pub(super) struct SpinSqlite {
    connection: RefCell<Option<Rc<Connection>>>,
    write_lock: WriteLock,
    /// The last time that a statement found the database locked.
    locked_at: Cell<Option<Instant>>,
}

/// A waiting statement asks for the lock more often than this.
const LOCKED_FOR: Duration = Duration::from_millis(500);

impl SpinSqlite {
    async fn connection(&self) -> Result<Rc<Connection>, Error> {
        if let Some(connection) = &*self.connection.borrow() {
            return Ok(Rc::clone(connection));
        }
        let connection = Rc::new(Connection::open_default().await?);
        // Stored before the pragma runs: statements of other requests meanwhile only wait longer.
        *self.connection.borrow_mut() = Some(Rc::clone(&connection));
        connection.execute(BUSY_TIMEOUT, Vec::new()).await?.collect().await?;
        Ok(connection)
    }

    async fn collect<'s>(
        &self,
        next: &mut dyn FnMut() -> Statement<'s>,
        is_locked: &Cell<bool>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let connection = self.connection().await.map_err(|error| classify(&error))?;
        let mut run = async || {
            let statement = next();
            let expected = Expected::of(&statement);
            let parameters = statement.parameters.into_iter().map(parameter);
            let run = connection.execute(statement.text, parameters).await?;
            let (_, rows, verdict) = run.into_inner();
            rows::collect(rows, verdict, expected).await
        };
        // Most statements never wait, and so never read the clock.
        let mut waiting: Option<(Instant, Wait)> = None;
        loop {
            match run().await {
                Ok(rows) => {
                    if let Some((since, _)) = waiting {
                        self.write_lock.got_it(since.elapsed());
                    }
                    let rows = rows.into_iter().map(|row| row.values);
                    return rows.map(|row| row.into_iter().map(value).collect()).collect();
                }
                // Without the lock, a statement has no effect.
                Err(error) if classify(&error).failure == Failure::Locked => {
                    is_locked.set(true);
                    self.locked_at.set(Some(Instant::now()));
                    let (since, wait) =
                        waiting.get_or_insert_with(|| (Instant::now(), Wait::default()));
                    let pause = self.write_lock.pause(wait, since.elapsed());
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                }
                Err(error) => return Err(classify(&error)),
            }
        }
    }

    /// Whether a statement is waiting for the write lock, or was just now: it may have been dropped
    /// by a caller that waits no longer.
    pub(super) fn is_locked(&self) -> bool {
        self.locked_at.get().is_some_and(|at| at.elapsed() < LOCKED_FOR)
    }

    /// Runs the statement that `next` returns before each attempt; the error contains SQLite's
    /// text.
    pub(super) async fn query<'s>(
        &self,
        next: &mut dyn FnMut() -> Statement<'s>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let is_locked = Cell::new(false);
        let run = self.collect(next, &is_locked);
        let outcome = within(STATEMENT_DEADLINE, run).await;
        let outcome = outcome.unwrap_or_else(|| Err(late(is_locked.get())));
        if outcome.is_err() {
            // After any error, the next statement starts with a new connection.
            *self.connection.borrow_mut() = None;
        }
        outcome
    }
}

/// The error of a statement that has reached its deadline. Without the lock, it has had no effect.
fn late(is_locked: bool) -> SqlError {
    match is_locked {
        true => SqlError::sqlite("no answer in time: the database is locked"),
        false => SqlError::other("no answer in time"),
    }
}

fn parameter(value: Value) -> SqliteValue {
    match value {
        Value::Null => SqliteValue::Null,
        Value::Int(value) => SqliteValue::Integer(value),
        Value::Text(text) => SqliteValue::Text(text),
    }
}

fn value(value: SqliteValue) -> Result<Value, SqlError> {
    match value {
        SqliteValue::Null => Ok(Value::Null),
        SqliteValue::Integer(value) => Ok(Value::Int(value)),
        SqliteValue::Text(text) => Ok(Value::Text(text)),
        SqliteValue::Real(_) | SqliteValue::Blob(_) => {
            Err(SqlError::other("a column of an unexpected type"))
        }
    }
}

fn classify(error: &Error) -> SqlError {
    match error {
        Error::Io(text) => SqlError::sqlite(text.clone()),
        Error::NoSuchDatabase => SqlError::other("no such database"),
        Error::AccessDenied => SqlError::other("access to the database is denied"),
        Error::InvalidConnection => SqlError::other("the connection is not valid"),
        Error::DatabaseFull => {
            SqlError { failure: Failure::DiskFull, text: "the database is full".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_never_got_the_lock_says_so() {
        assert_eq!(late(true).failure, Failure::Locked);
        assert_eq!(late(false).failure, Failure::Other);
        let error = classify(&Error::Io("database is locked".to_owned()));
        assert_eq!(error.failure, Failure::Locked);
    }
}
