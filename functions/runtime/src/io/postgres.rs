//! Postgres through the host, which keeps the connections in a pool of its own.
//!
//! Every call is one statement and so one transaction: the pool hands connections on without a
//! ROLLBACK. Rows are always collected and the error future checked: the host reports success when
//! the rows are dropped early.

use std::cell::RefCell;
use std::time::Duration;

use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError, QueryError};

use super::deadline::within;
use crate::record::{Sql, Value};

/// Covers waiting for one of the pool's connections, for which the host has no limit.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(5);

/// Connections that an instance keeps between requests. Statements on one run one after the other,
/// and opening one costs a round trip; each is taken from the host's pool of 64 for as long as it
/// is kept, so more would starve other instances.
const IDLE_MAX: usize = 4;

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
    ) -> Result<Vec<Vec<Value>>, String> {
        let idle = self.idle.borrow_mut().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => Connection::open(self.url.as_str()).await.map_err(|error| text_of(&error))?,
        };
        let rows = run(&connection, statement, parameters).await?;
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(rows)
    }
}

async fn run(
    connection: &Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> Result<Vec<Vec<Value>>, String> {
    let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
    let rows = connection.query(statement, parameters).await;
    let (_, stream, result) = rows.map_err(|error| text_of(&error))?.into_inner();
    let rows = stream.collect().await;
    result.await.map_err(|error| text_of(&Error::PgError(error)))?;
    rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
}

impl Sql for SpinPostgres {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String> {
        let outcome = within(STATEMENT_DEADLINE, self.collect(statement, parameters)).await;
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
