//! Postgres through the host, which pools the connections.
//!
//! A connection is taken from the pool for one statement and returned with its reply. The pool has
//! 64 connections for all instances of a component. An instance that kept one between requests,
//! even for its one idle second, would withhold it from requests of other instances: these wait in
//! order of arrival for connections that are returned.
//!
//! Every call is one statement and so one transaction: the pool reuses connections without a
//! ROLLBACK. Rows are always collected and the error future is always checked: the host reports
//! success if the rows are dropped early.
//!
//! The pool keeps a connection for as long as it works, also after the address leads to another
//! server. So after a failover this file has to leave the connections that do not work: those to a
//! server that is read-only, and those to one that does not answer.

mod errors;

use std::time::Duration;

use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError};
use spin_sdk::time::sleep;

use self::errors::{SILENT, classify, is_broken, is_read_only, is_refused_for_now};
use super::deadline::within;
use super::rows::{self, Expected};
use crate::ports::sql::{SqlError, Statement, Value};

/// Deadline of a statement, including the wait for a pooled connection, which the host does not
/// limit.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(5);

/// Deadline of the first attempt to get a connection. The host checks a pooled one with a query: one
/// to a server that has stopped without closing it would use up the statement's deadline. The host
/// drops a connection in the middle of its check, so the next attempt gets another one. Longer than
/// a new connection takes, and than a busy pool lets anyone wait.
const OPEN_DEADLINE: Duration = Duration::from_millis(1500);
/// Deadline of further attempts: a server, or a machine, that is so busy that a connection takes
/// longer is given the rest of the statement's time. Every attempt begins anew, and many statements
/// that give up theirs all the time would keep it busy with nothing.
const OPEN_AGAIN_DEADLINE: Duration = Duration::from_millis(3200);
/// Further attempts to open a connection while the server is busy: for one second, so that readers
/// can still be served without it in time.
const OPENS_MAX: usize = 10;
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// Connections that a statement leaves because their server is read-only: as many as the host's
/// pool has, so that one statement reaches a new connection past all of them.
const LEFT_MAX: usize = 64;
/// Has the server end this connection, unless it is new: then the address leads to a server that is
/// read-only, and another connection would be no better.
const LEAVE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = pg_backend_pid() AND backend_start < now() - interval '1 second'";

/// The configured Postgres database.
pub(super) struct SpinPostgres {
    url: String,
}

impl SpinPostgres {
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    /// Runs a statement; the text of a server's error starts with its SQLSTATE.
    pub(super) async fn query(
        &self,
        statement: Statement<'_>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let run = self.collect(statement);
        let outcome = within(STATEMENT_DEADLINE, run).await;
        outcome.unwrap_or_else(|| Err(SqlError::other("no answer in time")))
    }

    async fn collect(&self, statement: Statement<'_>) -> Result<Vec<Vec<Value>>, SqlError> {
        let (text, expected) = (statement.text, Expected::of(&statement));
        let parameters: Vec<_> = statement.parameters.into_iter().map(parameter).collect();
        let mut repeats = 0;
        let rows = loop {
            match self.run(text, parameters.clone(), expected).await {
                Ok(rows) => break rows,
                Err(failed) if repeats < failed.repeats_max => repeats += 1,
                Err(failed) => return Err(classify(&failed.error)),
            }
        };
        rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
    }

    /// Runs a statement on a connection that is returned to the pool before this returns.
    async fn run(
        &self,
        text: &str,
        parameters: Vec<ParameterValue>,
        expected: Expected,
    ) -> Result<Vec<Vec<DbValue>>, Failed> {
        let opened = self.open().await;
        let connection = opened.map_err(|error| Failed { error, repeats_max: 0 })?;
        let outcome = ask(&connection, text, parameters, expected).await;
        let Err(error) = outcome else { return outcome.map_err(Failed::from) };
        if is_read_only(&error) && leave(&connection).await {
            return Err(Failed { error, repeats_max: LEFT_MAX });
        }
        Err(Failed::from(error))
    }

    /// Waits for a connection, which the host has checked.
    async fn open(&self) -> Result<Connection, Error> {
        let mut outcome = self.take(OPEN_DEADLINE).await;
        for _ in 0..OPENS_MAX {
            match &outcome {
                Err(error) if is_refused_for_now(error) => sleep(OPEN_PAUSE).await,
                _ => break,
            }
            outcome = self.take(OPEN_AGAIN_DEADLINE).await;
        }
        outcome
    }

    async fn take(&self, limit: Duration) -> Result<Connection, Error> {
        let taken = within(limit, Connection::open(self.url.as_str())).await;
        match taken {
            Some(taken) => taken,
            None => Err(Error::PgError(PgError::ConnectionFailed(SILENT.to_owned()))),
        }
    }
}

/// A failed statement, and how often a statement may have been repeated to be repeated after this.
struct Failed {
    error: Error,
    repeats_max: usize,
}

impl From<Error> for Failed {
    /// The server stopped during the statement, which may have taken effect. All statements of the
    /// record are safe to repeat.
    fn from(error: Error) -> Self {
        let repeats_max = usize::from(is_broken(&error));
        Self { error, repeats_max }
    }
}

async fn ask(
    connection: &Connection,
    text: &str,
    parameters: Vec<ParameterValue>,
    expected: Expected,
) -> Result<Vec<Vec<DbValue>>, Error> {
    let (_, rows, verdict) = connection.query(text, parameters).await?.into_inner();
    rows::collect(rows, verdict, expected).await.map_err(Error::PgError)
}

/// Has the server end a connection, so that the pool drops it; `false` if the connection is new.
async fn leave(connection: &Connection) -> bool {
    match ask(connection, LEAVE, Vec::new(), Expected::Row).await {
        Ok(rows) => !rows.is_empty(),
        // The server ends the connection rather than answer.
        Err(error) => is_broken(&error),
    }
}

fn parameter(value: Value) -> ParameterValue {
    match value {
        Value::Null => ParameterValue::DbNull,
        Value::Int(value) => ParameterValue::Int64(value),
        Value::Text(text) => ParameterValue::Str(text),
    }
}

fn value(value: DbValue) -> Result<Value, SqlError> {
    match value {
        DbValue::DbNull => Ok(Value::Null),
        DbValue::Int64(value) => Ok(Value::Int(value)),
        DbValue::Int32(value) => Ok(Value::Int(value.into())),
        DbValue::Str(text) => Ok(Value::Text(text)),
        _ => Err(SqlError::other("a column of an unexpected type")),
    }
}
