//! `spin:sqlite`: the labels that a component may open, handles, both kinds of calls.
//!
//! Contains no SQL; that is in `database`.

mod database;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, HasData, Resource, ResourceTable, StreamReader};

use crate::bindings::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::rows::RowProducer;
pub(crate) use database::Location;
use database::{Database, Streamed};

/// Spin's limit per instance.
const CONNECTIONS_MAX: usize = 256;

type Called<T> = wasmtime::Result<Result<T, Error>>;
type Rows = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

/// One connection handle of a component.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct SqliteConnection(Arc<Database>);

/// One instance's state of SQLite.
pub(crate) struct SqliteState {
    allowed: Arc<BTreeSet<String>>,
    locations: Arc<BTreeMap<String, Location>>,
    // A separate table, because Spin counts these connections separately.
    connections: ResourceTable,
}

impl SqliteState {
    pub(crate) fn new(
        allowed: Arc<BTreeSet<String>>,
        locations: Arc<BTreeMap<String, Location>>,
    ) -> Self {
        let mut connections = ResourceTable::new();
        connections.set_max_capacity(CONNECTIONS_MAX);
        Self { allowed, locations, connections }
    }

    fn open(&mut self, label: &str) -> Result<Resource<SqliteConnection>, Error> {
        if !self.allowed.contains(label) {
            return Err(Error::AccessDenied);
        }
        let location = self.locations.get(label).ok_or(Error::NoSuchDatabase)?;
        let database = Database::new(location.clone()).map_err(|_| Error::InvalidConnection)?;
        self.connections
            .push(SqliteConnection(Arc::new(database)))
            .map_err(|_| Error::Io("too many connections opened".into()))
    }

    fn database(&self, handle: &Resource<SqliteConnection>) -> Result<Arc<Database>, Error> {
        match self.connections.get(handle) {
            Ok(connection) => Ok(connection.0.clone()),
            Err(_) => Err(Error::InvalidConnection),
        }
    }
}

/// Marks `SqliteState` as the data behind the generated traits.
pub(crate) struct HasSqlite;

impl HasData for HasSqlite {
    type Data<'a> = &'a mut SqliteState;
}

impl Host for SqliteState {}

/// `changes` and `last_insert_rowid` return no error in the interface: a failure traps.
fn trap(error: Error) -> wasmtime::Error {
    wasmtime::format_err!("sqlite: {error:?}")
}

impl HostConnection for SqliteState {
    async fn open(&mut self, label: String) -> Called<Resource<SqliteConnection>> {
        Ok(SqliteState::open(self, &label))
    }

    async fn execute(
        &mut self,
        handle: Resource<SqliteConnection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Called<QueryResult> {
        match self.database(&handle) {
            Ok(database) => Ok(database.query(statement, parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn last_insert_rowid(
        &mut self,
        handle: Resource<SqliteConnection>,
    ) -> wasmtime::Result<i64> {
        self.database(&handle).and_then(|database| database.last_insert_rowid()).map_err(trap)
    }

    async fn changes(&mut self, handle: Resource<SqliteConnection>) -> wasmtime::Result<u64> {
        self.database(&handle).and_then(|database| database.changes()).map_err(trap)
    }

    async fn drop(&mut self, handle: Resource<SqliteConnection>) -> wasmtime::Result<()> {
        self.connections.delete(handle)?;
        Ok(())
    }
}

fn database<T>(
    accessor: &Accessor<T, HasSqlite>,
    handle: &Resource<SqliteConnection>,
) -> Result<Arc<Database>, Error> {
    accessor.with(|mut access| access.get().database(handle))
}

impl<T: Send + 'static> HostConnectionWithStore<T> for HasSqlite {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> Called<Resource<SqliteConnection>> {
        Ok(accessor.with(|mut access| access.get().open(&label)))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<SqliteConnection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Called<Rows> {
        let database = match database(accessor, &handle) {
            Ok(database) => database,
            Err(error) => return Ok(Err(error)),
        };
        let Streamed { columns, rows, verdict } = match database.stream(statement, parameters).await
        {
            Ok(streamed) => streamed,
            Err(error) => return Ok(Err(error)),
        };
        let readers = accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, RowProducer(rows))?;
            let verdict = FutureReader::new(&mut access, verdict)?;
            wasmtime::Result::Ok((columns, rows, verdict))
        });
        Ok(readers.map_err(|error: wasmtime::Error| Error::Io(error.to_string())))
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<SqliteConnection>,
    ) -> wasmtime::Result<i64> {
        database(accessor, &handle).and_then(|db| db.last_insert_rowid()).map_err(trap)
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<SqliteConnection>,
    ) -> wasmtime::Result<u64> {
        database(accessor, &handle).and_then(|db| db.changes()).map_err(trap)
    }
}
