//! SQLite itself: opens a file, runs statements, sends rows through a bounded channel.
//!
//! Knows nothing of components and permissions; that is in `sqlite::mod`. Order and bounds are
//! Spin's, because a component that does not read its rows hangs there as it hangs here.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use tokio::sync::{mpsc, oneshot};

use crate::bindings::sqlite::{Error, QueryResult, RowResult, Value};

/// Rows that wait between SQLite and a component, besides one with the sender.
const ROWS_BUFFERED_MAX: usize = 4;
/// Spin's limit on a result (`execute`) and on a row (`execute_async`).
const RESULT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The location of a label's data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Location {
    /// `None`: in memory, new for every connection.
    pub(crate) path: Option<PathBuf>,
    pub(crate) allow_attach_file: bool,
}

/// One connection of one component instance; the first statement opens the file.
pub(crate) struct Database {
    location: Location,
    connection: OnceLock<Arc<Mutex<rusqlite::Connection>>>,
}

/// A running query with known columns; the rows and the verdict follow.
pub(crate) struct Streamed {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: mpsc::Receiver<RowResult>,
    pub(crate) verdict: oneshot::Receiver<Result<(), Error>>,
}

impl Database {
    pub(crate) fn new(location: Location) -> std::io::Result<Self> {
        if let Some(parent) = location.path.as_deref().and_then(|path| path.parent()) {
            std::fs::create_dir_all(parent)?;
        }
        Ok(Self { location, connection: OnceLock::new() })
    }

    fn connection(&self) -> Result<Arc<Mutex<rusqlite::Connection>>, Error> {
        if let Some(open) = self.connection.get() {
            return Ok(open.clone());
        }
        // Two first calls may race: one of the two new connections wins, as in Spin.
        let new = Arc::new(Mutex::new(self.connect().map_err(io)?));
        Ok(self.connection.get_or_init(|| new).clone())
    }

    /// rusqlite's default busy timeout of 5 s applies, here and in Spin.
    fn connect(&self) -> rusqlite::Result<rusqlite::Connection> {
        let mut connection = match &self.location.path {
            None => rusqlite::Connection::open_in_memory()?,
            Some(path) => rusqlite::Connection::open(path)?,
        };
        if !self.location.allow_attach_file {
            connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
                AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => {
                    Authorization::Deny
                }
                _ => Authorization::Allow,
            }))?;
        }
        Ok(connection)
    }

    /// Runs a statement to its end and returns the whole result.
    pub(crate) async fn query(
        &self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<QueryResult, Error> {
        let connection = self.connection()?;
        let work = move || query(&lock(&connection), &sql, values);
        let joined = tokio::task::spawn_blocking(work).await;
        joined.map_err(|_| Error::Io("internal runtime error".into()))?
    }

    /// Starts a statement. An error before the columns are known comes as a failed verdict without
    /// columns and rows.
    pub(crate) async fn stream(&self, sql: String, values: Vec<Value>) -> Result<Streamed, Error> {
        let connection = self.connection()?;
        let (columns_tx, columns_rx) = oneshot::channel();
        let (rows_tx, rows) = mpsc::channel(ROWS_BUFFERED_MAX);
        let (verdict_tx, verdict) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let result = stream(&lock(&connection), &sql, values, columns_tx, rows_tx);
            let _ = verdict_tx.send(result);
        });
        let columns = columns_rx.await.map_err(|error| Error::Io(error.to_string()))?;
        Ok(Streamed { columns, rows, verdict })
    }

    pub(crate) fn changes(&self) -> Result<u64, Error> {
        Ok(lock(&*self.connection()?).changes())
    }

    pub(crate) fn last_insert_rowid(&self) -> Result<i64, Error> {
        Ok(lock(&*self.connection()?).last_insert_rowid())
    }
}

/// A panic while the lock was held does not harm SQLite itself.
fn lock(connection: &Mutex<rusqlite::Connection>) -> MutexGuard<'_, rusqlite::Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn query(
    connection: &rusqlite::Connection,
    sql: &str,
    values: Vec<Value>,
) -> Result<QueryResult, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(io)?;
    let columns = statement.column_names().map(ToOwned::to_owned).collect();
    let mut found = statement.query(parameters(values)).map_err(io)?;
    let mut rows = Vec::new();
    let mut bytes = size_of::<QueryResult>();
    while let Some(row) = found.next().map_err(io)? {
        let row = convert(row).map_err(io)?;
        bytes += row_bytes(&row);
        check_size(bytes)?;
        rows.push(row);
    }
    Ok(QueryResult { columns, rows })
}

fn stream(
    connection: &rusqlite::Connection,
    sql: &str,
    values: Vec<Value>,
    columns: oneshot::Sender<Vec<String>>,
    rows: mpsc::Sender<RowResult>,
) -> Result<(), Error> {
    let mut statement = match connection.prepare_cached(sql) {
        Ok(statement) => statement,
        Err(error) => {
            let _ = columns.send(Vec::new());
            return Err(io(error));
        }
    };
    let names = statement.column_names().map(ToOwned::to_owned).collect();
    columns.send(names).map_err(|_| Error::Io("column send error".into()))?;
    let mut found = statement.query(parameters(values)).map_err(io)?;
    while let Some(row) = found.next().map_err(io)? {
        let row = convert(row).map_err(io)?;
        check_size(row_bytes(&row))?;
        rows.blocking_send(row).map_err(|_| Error::Io("row send error".into()))?;
    }
    Ok(())
}

fn io(error: rusqlite::Error) -> Error {
    Error::Io(error.to_string())
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > RESULT_BYTES_MAX {
        return Err(Error::Io(format!("query result exceeds limit of {RESULT_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn row_bytes(row: &RowResult) -> usize {
    let bytes = |value: &Value| match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => size_of::<Value>(),
        Value::Text(text) => size_of::<Value>() + text.len(),
        Value::Blob(blob) => size_of::<Value>() + blob.len(),
    };
    row.values.iter().map(bytes).sum()
}

fn parameters(values: Vec<Value>) -> impl rusqlite::Params {
    use rusqlite::types::Value as Sql;
    rusqlite::params_from_iter(values.into_iter().map(|value| match value {
        Value::Null => Sql::Null,
        Value::Integer(number) => Sql::Integer(number),
        Value::Real(number) => Sql::Real(number),
        Value::Text(text) => Sql::Text(text),
        Value::Blob(blob) => Sql::Blob(blob),
    }))
}

fn convert(row: &rusqlite::Row<'_>) -> rusqlite::Result<RowResult> {
    let columns = row.as_ref().column_count();
    let values = (0..columns).map(|column| row.get::<_, Cell>(column).map(|cell| cell.0));
    Ok(RowResult { values: values.collect::<Result<_, _>>()? })
}

struct Cell(Value);

impl FromSql for Cell {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            // Spin panics on text that is not UTF-8, which is also an error to the component.
            ValueRef::Text(text) => match String::from_utf8(text.to_vec()) {
                Ok(text) => Value::Text(text),
                Err(error) => return Err(FromSqlError::other(error)),
            },
            ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
        }))
    }
}
