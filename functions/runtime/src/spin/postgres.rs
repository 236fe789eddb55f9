//! Postgres through the host, which keeps the connections in a pool of its own.
//!
//! A connection is taken from that pool for one statement and given back with its answer. The pool
//! has 64 for all instances of a component, and an instance that kept one between requests, if only
//! for the second that it may rest, would keep it from requests of other instances that wait: those
//! are served in the order in which they came, but only by connections that come back.
//!
//! Every call is one statement and so one transaction: the pool hands connections on without a
//! ROLLBACK. Rows are always collected and the error future checked: the host reports success when
//! the rows are dropped early.

use std::time::Duration;

use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError, QueryError};

use spin_sdk::time::sleep;

use super::deadline::within;
use super::rows::{self, Expected};
use crate::ports::sql::{SqlError, Value};

/// Covers waiting for one of the pool's connections, for which the host has no limit.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(5);

/// Further attempts to open a connection that the server refuses for now: for a second, so that
/// those who read can still go on without it in time.
const OPENS_MAX: usize = 10;
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// The configured Postgres database.
pub struct SpinPostgres {
    url: String,
}

impl SpinPostgres {
    pub fn new(url: String) -> Self {
        Self { url }
    }

    /// Runs a statement; the error starts with its SQLSTATE.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        expected: Expected,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let run = self.collect(statement, parameters, expected);
        let outcome = within(STATEMENT_DEADLINE, run).await;
        outcome.unwrap_or_else(|| Err(SqlError::other("no answer in time")))
    }

    async fn collect(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        expected: Expected,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        let mut outcome = self.run(statement, parameters.clone(), expected).await;
        // The server was stopped under the statement. If that took effect before: nothing in the
        // record is done twice.
        if outcome.as_ref().is_err_and(is_broken) {
            outcome = self.run(statement, parameters, expected).await;
        }
        let rows = outcome.map_err(|error| classify(&error))?;
        rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
    }

    /// Runs a statement on a connection that is given back before this returns.
    async fn run(
        &self,
        statement: &str,
        parameters: Vec<ParameterValue>,
        expected: Expected,
    ) -> Result<Vec<Vec<DbValue>>, Error> {
        let connection = self.open().await?;
        let (_, rows, verdict) = connection.query(statement, parameters).await?.into_inner();
        rows::collect(rows, verdict, expected).await.map_err(Error::PgError)
    }

    /// Waits for a connection; the host has made sure that it works.
    async fn open(&self) -> Result<Connection, Error> {
        let mut outcome = Connection::open(self.url.as_str()).await;
        for _ in 0..OPENS_MAX {
            match &outcome {
                Err(error) if is_refused_for_now(error) => sleep(OPEN_PAUSE).await,
                _ => break,
            }
            outcome = Connection::open(self.url.as_str()).await;
        }
        outcome
    }
}

/// The connection is gone, not the statement wrong: the client's words for it, or class 57P
/// (shutdown, crash) of the server.
fn is_broken(error: &Error) -> bool {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
            error.code.starts_with("57P")
        }
        Error::PgError(PgError::QueryFailed(QueryError::Text(text))) => {
            text.contains("kind: Closed") || text.contains("kind: Io")
        }
        _ => false,
    }
}

/// All connections are taken, or the server is starting: it says so in words only.
fn is_refused_for_now(error: &Error) -> bool {
    matches!(error, Error::PgError(PgError::ConnectionFailed(text))
        if text.contains("too many clients") || text.contains("starting up"))
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

/// Takes over what the server said, and never the address, which may contain a password.
fn classify(error: &Error) -> SqlError {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
            SqlError::postgres(&error.code, &error.message)
        }
        Error::PgError(PgError::ConnectionFailed(_)) => {
            SqlError::other("no connection: postgres_url must be reachable and match postgres_host")
        }
        Error::PgError(
            PgError::QueryFailed(QueryError::Text(text))
            | PgError::BadParameter(text)
            | PgError::ValueConversionFailed(text),
        ) => SqlError::other(text.clone()),
        _ => SqlError::other("the database failed"),
    }
}
