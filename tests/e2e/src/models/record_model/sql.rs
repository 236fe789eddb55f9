//! The runtime's SQL over native clients.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runtime::ports::sql::{Backend, Sql, SqlError, Value};
use runtime::record::{NewEntry, Outcome, Record};
use shared::UserId;
use shared::notification::{Draft, Notification};
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

/// A record of the test's own.
pub type TestRecord = Record<Database>;

/// A connection to one of the backends; clones share it.
#[derive(Clone)]
pub enum Database {
    Sqlite(Rc<Sqlite>),
    Postgres(Rc<tokio_postgres::Client>),
}

impl Database {
    pub fn sqlite(path: &Path) -> Self {
        Database::Sqlite(Rc::new(Sqlite { path: path.to_owned(), connection: Arc::default() }))
    }

    /// Opens a connection to a Postgres database.
    pub async fn postgres(url: &str) -> Self {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        Database::Postgres(Rc::new(client))
    }

    pub fn record(&self) -> TestRecord {
        let backend = match self {
            Database::Sqlite(_) => Backend::Sqlite,
            Database::Postgres(_) => Backend::Postgres,
        };
        Record::new(self.clone(), backend, super::seed::unique)
    }

    /// The name of a table, where it lies.
    pub fn table(&self, name: &str) -> String {
        match self {
            Database::Sqlite(_) => name.to_owned(),
            Database::Postgres(_) => format!("bellwire.{name}"),
        }
    }

    /// The database file, of which tests put a copy back; `None` for a server.
    pub fn file(&self) -> Option<&Sqlite> {
        match self {
            Database::Sqlite(sqlite) => Some(sqlite),
            Database::Postgres(_) => None,
        }
    }

    /// Removes the record, as if it had never been.
    pub async fn remove(&self) {
        match self {
            Database::Sqlite(sqlite) => sqlite.remove(),
            Database::Postgres(_) => {
                self.query("DROP SCHEMA IF EXISTS bellwire CASCADE", Vec::new()).await.unwrap();
            }
        }
    }
}

/// A database file.
pub struct Sqlite {
    path: PathBuf,
    connection: Arc<Mutex<Option<rusqlite::Connection>>>,
}

impl Sqlite {
    fn remove(&self) {
        *self.connection.lock().unwrap() = None;
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }

    /// A copy of the whole database.
    pub fn save(&self) -> Vec<u8> {
        // The last connection that closes moves everything into the one file.
        *self.connection.lock().unwrap() = None;
        std::fs::read(&self.path).unwrap_or_default()
    }

    /// Puts a copy back.
    pub fn restore(&self, copy: &[u8]) {
        self.remove();
        std::fs::write(&self.path, copy).unwrap();
    }
}

impl Sql for Database {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        match self {
            Database::Sqlite(sqlite) => {
                let (path, connection) = (sqlite.path.clone(), Arc::clone(&sqlite.connection));
                let statement = statement.to_owned();
                // On a thread of its own, so that statements of several connections really meet.
                let run = move || {
                    let mut slot = connection.lock().unwrap();
                    let connection = slot.get_or_insert_with(|| open(&path));
                    rows(connection, &statement, parameters)
                        .map_err(|error| SqlError::sqlite(error.to_string()))
                };
                tokio::task::spawn_blocking(run).await.unwrap()
            }
            Database::Postgres(client) => {
                let parameters: Vec<Parameter> = parameters.into_iter().map(Parameter).collect();
                let parameters: Vec<&(dyn ToSql + Sync)> =
                    parameters.iter().map(|parameter| parameter as _).collect();
                let rows =
                    client.query(statement, &parameters).await.map_err(|error| {
                        match error.as_db_error() {
                            Some(db) => SqlError::postgres(db.code().code(), db.message()),
                            None => SqlError::other(error.to_string()),
                        }
                    })?;
                Ok(rows.iter().map(values).collect())
            }
        }
    }
}

fn open(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    // Nothing here must survive the machine.
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    connection
}

fn rows(
    connection: &rusqlite::Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> rusqlite::Result<Vec<Vec<Value>>> {
    use rusqlite::types::Value as Column;
    let mut statement = connection.prepare_cached(statement)?;
    let parameters = parameters.into_iter().map(|parameter| match parameter {
        Value::Null => Column::Null,
        Value::Int(value) => Column::Integer(value),
        Value::Text(text) => Column::Text(text),
    });
    let columns = statement.column_count();
    let rows = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
        (0..columns)
            .map(|at| {
                Ok(match row.get(at)? {
                    Column::Null => Value::Null,
                    Column::Integer(value) => Value::Int(value),
                    Column::Text(text) => Value::Text(text),
                    other => panic!("a column of another type: {other:?}"),
                })
            })
            .collect()
    })?;
    rows.collect()
}

fn values(row: &tokio_postgres::Row) -> Vec<Value> {
    let value = |(at, column): (usize, &tokio_postgres::Column)| match *column.type_() {
        Type::INT8 => row.get::<_, Option<i64>>(at).map_or(Value::Null, Value::Int),
        Type::INT4 => {
            row.get::<_, Option<i32>>(at).map_or(Value::Null, |value| Value::Int(value.into()))
        }
        _ => row.get::<_, Option<String>>(at).map_or(Value::Null, Value::Text),
    };
    row.columns().iter().enumerate().map(value).collect()
}

/// A parameter of whatever type the statement wants: NULL has none of its own.
#[derive(Debug)]
struct Parameter(Value);

impl ToSql for Parameter {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql_checked(kind, out),
            Value::Text(text) => text.to_sql_checked(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Commits an entry for each of these users, and returns them with the epoch.
pub async fn commit(
    record: &TestRecord,
    users: &[UserId],
    now_ms: i64,
) -> (String, Vec<Notification>) {
    let item = |user: &UserId| NewEntry {
        draft: Draft {
            user_id: user.clone(),
            title: "title".to_owned(),
            body: None,
            kind: None,
            data: None,
            expires_at_ms: None,
        },
        id: super::seed::uuid_v7(now_ms),
        created_at_ms: now_ms,
        idempotency: None,
        push: None,
    };
    let items: Vec<NewEntry> = users.iter().map(item).collect();
    let created = record.create(&items, 0).await.unwrap();
    let entries = items.into_iter().zip(created.outcomes).map(|(item, outcome)| {
        let Outcome::Created { seq, quiet } = outcome else { panic!("{outcome:?}") };
        let NewEntry { draft, id, created_at_ms, .. } = item;
        Notification { id, seq, draft, created_at_ms, quiet }
    });
    (created.epoch, entries.collect())
}
