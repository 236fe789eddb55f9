//! Postgres through the host, which keeps the connections in a pool of its own.
//!
//! Every call is one statement and so one transaction: the pool hands connections on without a
//! ROLLBACK. Rows are always collected and the error future checked: the host reports success when
//! the rows are dropped early.

use std::cell::RefCell;
use std::time::Duration;

use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError, QueryError};

use spin_sdk::time::sleep;

use super::deadline::within;
use super::sql::{self, Expected};
use crate::record::Value;

/// Covers waiting for one of the pool's connections, for which the host has no limit.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(5);

/// Connections that an instance keeps between requests. Statements on one run one after the other,
/// and opening one costs a round trip; each is taken from the host's pool of 64 for as long as it
/// is kept, so more would starve other instances.
const IDLE_MAX: usize = 4;

/// Further attempts to open a connection that the server refuses for now: for a second, so that
/// those who read can still go on without it in time.
const OPENS_MAX: usize = 10;
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// The configured Postgres database.
pub struct SpinPostgres {
    url: String,
    idle: RefCell<Vec<Connection>>,
}

impl SpinPostgres {
    pub fn new(url: String) -> Self {
        Self { url, idle: RefCell::new(Vec::new()) }
    }

    /// Runs a statement on a connection of its own. One that failed is not kept: it may be broken,
    /// and then stays so.
    async fn collect(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        expected: Expected,
    ) -> Result<Vec<Vec<Value>>, String> {
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        let kept = self.idle.borrow_mut().pop();
        if let Some(connection) = kept {
            match run(&connection, statement, parameters.clone(), expected).await {
                Ok(rows) => return self.keep(connection, rows),
                // Usually it broke long ago, when Postgres was restarted, as the others did. If
                // not, the statement may have taken effect: nothing in the record is done twice.
                Err(error) if is_broken(&error) => self.idle.borrow_mut().clear(),
                Err(error) => return Err(text_of(&error)),
            }
        }
        let connection = self.open().await.map_err(|error| text_of(&error))?;
        match run(&connection, statement, parameters, expected).await {
            Ok(rows) => self.keep(connection, rows),
            Err(error) => Err(text_of(&error)),
        }
    }

    /// The host has made sure that the connection works.
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

    fn keep(
        &self,
        connection: Connection,
        rows: Vec<Vec<DbValue>>,
    ) -> Result<Vec<Vec<Value>>, String> {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
    }
}

async fn run(
    connection: &Connection,
    statement: &str,
    parameters: Vec<ParameterValue>,
    expected: Expected,
) -> Result<Vec<Vec<DbValue>>, Error> {
    let (_, rows, verdict) = connection.query(statement, parameters).await?.into_inner();
    sql::collect(rows, verdict, expected).await.map_err(Error::PgError)
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

impl SpinPostgres {
    /// Runs a statement; the error starts with its SQLSTATE.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        expected: Expected,
    ) -> Result<Vec<Vec<Value>>, String> {
        let run = self.collect(statement, parameters, expected);
        let outcome = within(STATEMENT_DEADLINE, run).await;
        outcome.unwrap_or_else(|| Err("no answer in time".to_owned()))
    }
}

fn parameter(value: Value) -> ParameterValue {
    match value {
        Value::Null => ParameterValue::DbNull,
        Value::Int(value) => ParameterValue::Int64(value),
        Value::Text(text) => ParameterValue::Str(text),
    }
}

fn value(value: DbValue) -> Result<Value, String> {
    match value {
        DbValue::DbNull => Ok(Value::Null),
        DbValue::Int64(value) => Ok(Value::Int(value)),
        DbValue::Int32(value) => Ok(Value::Int(value.into())),
        DbValue::Str(text) => Ok(Value::Text(text)),
        _ => Err("a column of another type".to_owned()),
    }
}

/// The SQLSTATE and message where the server said something; never the address, which may hold a
/// password.
fn text_of(error: &Error) -> String {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
            format!("{}: {}", error.code, error.message)
        }
        Error::PgError(PgError::QueryFailed(QueryError::Text(text))) => text.clone(),
        Error::PgError(PgError::ConnectionFailed(_)) => {
            "no connection: postgres_url must be reachable and match postgres_host".to_owned()
        }
        Error::PgError(PgError::BadParameter(text) | PgError::ValueConversionFailed(text)) => {
            text.clone()
        }
        _ => "the database failed".to_owned(),
    }
}
