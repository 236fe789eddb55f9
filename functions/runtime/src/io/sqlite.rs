//! SQLite through the host: one connection per instance.
//!
//! A statement's rows are always collected and its error future checked: the host reports an error
//! of the prepare step as an answer without columns, and rows that nobody takes block the
//! statement for ever while it holds the write lock.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use spin_sdk::sqlite::{Connection, Error, Value as SqliteValue};

use super::deadline::within;
use crate::record::{Sql, Value};

/// Longer than the host's busy timeout of 5 s, so that a busy database gives its own error.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(6);

/// The application's default database.
#[derive(Default)]
pub struct SpinSqlite {
    connection: RefCell<Option<Rc<Connection>>>,
}

impl SpinSqlite {
    async fn connection(&self) -> Result<Rc<Connection>, String> {
        if let Some(connection) = &*self.connection.borrow() {
            return Ok(Rc::clone(connection));
        }
        let opened = Connection::open_default().await.map_err(|error| text_of(&error))?;
        let connection = Rc::new(opened);
        *self.connection.borrow_mut() = Some(Rc::clone(&connection));
        Ok(connection)
    }

    async fn collect(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String> {
        let connection = self.connection().await?;
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        let rows = async { connection.execute(statement, parameters).await?.collect().await };
        let rows = rows.await.map_err(|error| text_of(&error))?;
        rows.into_iter().map(|row| row.values.into_iter().map(value).collect()).collect()
    }
}

impl Sql for SpinSqlite {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String> {
        let outcome = within(STATEMENT_DEADLINE, self.collect(statement, parameters)).await;
        let outcome = outcome.unwrap_or_else(|| Err("no answer in time".to_owned()));
        if outcome.is_err() {
            // Whatever is wrong with it, a new connection is the better start.
            *self.connection.borrow_mut() = None;
        }
        outcome
    }
}

fn parameter(value: Value) -> SqliteValue {
    match value {
        Value::Null => SqliteValue::Null,
        Value::Int(value) => SqliteValue::Integer(value),
        Value::Text(text) => SqliteValue::Text(text),
    }
}

fn value(value: SqliteValue) -> Result<Value, String> {
    match value {
        SqliteValue::Null => Ok(Value::Null),
        SqliteValue::Integer(value) => Ok(Value::Int(value)),
        SqliteValue::Text(text) => Ok(Value::Text(text)),
        SqliteValue::Real(_) | SqliteValue::Blob(_) => Err("a column of another type".to_owned()),
    }
}

fn text_of(error: &Error) -> String {
    match error {
        Error::Io(text) => text.clone(),
        Error::NoSuchDatabase => "no such database".to_owned(),
        Error::AccessDenied => "access to the database is denied".to_owned(),
        Error::InvalidConnection => "the connection is not valid".to_owned(),
        Error::DatabaseFull => "the database is full".to_owned(),
    }
}
