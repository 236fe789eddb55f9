//! `spin:postgres`: connections and builders, the address check, both kinds of calls.
//!
//! Contains no SQL; that is in `statement`. As in Spin, a handle holds one connection of its
//! component's pool until it is dropped, and a broken connection stays broken.

#![expect(clippy::result_large_err, reason = "the interface has this error, with all its fields")]

mod address;
mod column;
mod failure;
mod parameter;
mod pool;
mod statement;
mod tls;
mod types;

use std::fmt::Display;
use std::sync::Arc;

use deadpool_postgres::Object;
use tokio_postgres::Config;
use wasmtime::component::{Accessor, FutureReader, HasData, Resource, ResourceTable, StreamReader};

use crate::allowed_hosts::AllowedHosts;
use crate::bindings::postgres::{
    Column, Error, Host, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use crate::rows::RowProducer;
use failure::with_causes;
pub(crate) use pool::Pools;
use statement::Streamed;

/// Spin's limit per instance, on connections and on builders.
const HANDLES_MAX: usize = 1024;

type Called<T> = wasmtime::Result<Result<T, Error>>;
type Rows = (Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>);

/// One connection handle of a component.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct PostgresConnection(Arc<Object>);

/// An address without a connection yet.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct PostgresConnectionBuilder(String);

/// One instance's state of Postgres.
pub(crate) struct PostgresState {
    allowed_hosts: Arc<AllowedHosts>,
    /// Shared by all instances of the component.
    pools: Arc<Pools>,
    // Separate tables, because Spin counts these separately.
    connections: ResourceTable,
    builders: ResourceTable,
}

impl PostgresState {
    pub(crate) fn new(allowed_hosts: Arc<AllowedHosts>, pools: Arc<Pools>) -> Self {
        let table = || {
            let mut table = ResourceTable::new();
            table.set_max_capacity(HANDLES_MAX);
            table
        };
        Self { allowed_hosts, pools, connections: table(), builders: table() }
    }

    /// Sync, so that no borrow of the instance is held while it connects.
    fn opening(&self, address: String) -> Result<Opening, Error> {
        let config = address::parse_allowed(&address, &self.allowed_hosts)?;
        Ok(Opening { pools: self.pools.clone(), address, config })
    }

    fn push(&mut self, connection: Arc<Object>) -> Result<Resource<PostgresConnection>, Error> {
        let pushed = self.connections.push(PostgresConnection(connection));
        pushed.map_err(|_| connection_failed(&"too many connections"))
    }

    fn connection(&self, handle: &Resource<PostgresConnection>) -> Result<Arc<Object>, Error> {
        match self.connections.get(handle) {
            Ok(connection) => Ok(connection.0.clone()),
            Err(_) => Err(connection_failed(&"no connection found")),
        }
    }

    fn address(&self, builder: &Resource<PostgresConnectionBuilder>) -> Result<String, Error> {
        match self.builders.get(builder) {
            Ok(builder) => Ok(builder.0.clone()),
            Err(_) => Err(connection_failed(&"no builder found")),
        }
    }
}

/// An allowed address and the pools of its connections.
struct Opening {
    pools: Arc<Pools>,
    address: String,
    config: Config,
}

impl Opening {
    async fn open(self) -> Result<Arc<Object>, Error> {
        let opened = self.pools.connection(&self.address, self.config).await;
        opened.map_err(|error| connection_failed(&with_causes(&error)))
    }
}

fn connection_failed(text: &impl Display) -> Error {
    Error::ConnectionFailed(text.to_string())
}

/// Marks `PostgresState` as the data behind the generated traits.
pub(crate) struct HasPostgres;

impl HasData for HasPostgres {
    type Data<'a> = &'a mut PostgresState;
}

impl Host for PostgresState {}

impl HostConnection for PostgresState {
    async fn open(&mut self, address: String) -> Called<Resource<PostgresConnection>> {
        let opening = match self.opening(address) {
            Ok(opening) => opening,
            Err(error) => return Ok(Err(error)),
        };
        Ok(opening.open().await.and_then(|opened| self.push(opened)))
    }

    async fn query(
        &mut self,
        handle: Resource<PostgresConnection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<RowSet> {
        match self.connection(&handle) {
            Ok(connection) => Ok(statement::query(&connection, &statement, &parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn execute(
        &mut self,
        handle: Resource<PostgresConnection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<u64> {
        match self.connection(&handle) {
            Ok(connection) => Ok(statement::execute(&connection, &statement, &parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn drop(&mut self, handle: Resource<PostgresConnection>) -> wasmtime::Result<()> {
        self.connections.delete(handle)?;
        Ok(())
    }
}

impl<T: Send + 'static> HostConnectionWithStore<T> for HasPostgres {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Called<Resource<PostgresConnection>> {
        Ok(open(accessor, |_| Ok(address)).await)
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<PostgresConnection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<Rows> {
        let connection = match connection(accessor, &handle) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let started = statement::stream(&connection, &statement, &parameters).await;
        let Streamed { columns, rows, verdict } = match started {
            Ok(streamed) => streamed,
            Err(error) => return Ok(Err(error)),
        };
        let readers = accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, RowProducer(rows))?;
            let verdict = FutureReader::new(&mut access, verdict)?;
            wasmtime::Result::Ok((columns, rows, verdict))
        });
        Ok(readers.map_err(|error: wasmtime::Error| Error::Other(error.to_string())))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<PostgresConnection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<u64> {
        match connection(accessor, &handle) {
            Ok(connection) => Ok(statement::execute(&connection, &statement, &parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostConnectionBuilder for PostgresState {
    async fn new(
        &mut self,
        address: String,
    ) -> wasmtime::Result<Resource<PostgresConnectionBuilder>> {
        Ok(self.builders.push(PostgresConnectionBuilder(address))?)
    }

    /// Not supported: a certificate of the component's own, which nothing here uses.
    async fn set_ca_root(
        &mut self,
        _: Resource<PostgresConnectionBuilder>,
        _: String,
    ) -> Called<()> {
        Ok(Err(Error::Other("this host takes root certificates from SSL_CERT_FILE only".into())))
    }

    /// Stricter than Spin, which checks no address here.
    async fn build(
        &mut self,
        builder: Resource<PostgresConnectionBuilder>,
    ) -> Called<Resource<PostgresConnection>> {
        match self.address(&builder) {
            Ok(address) => HostConnection::open(self, address).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn drop(&mut self, builder: Resource<PostgresConnectionBuilder>) -> wasmtime::Result<()> {
        self.builders.delete(builder)?;
        Ok(())
    }
}

impl<T: Send + 'static> HostConnectionBuilderWithStore<T> for HasPostgres {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<PostgresConnectionBuilder>,
    ) -> Called<Resource<PostgresConnection>> {
        Ok(open(accessor, |state| state.address(&builder)).await)
    }
}

async fn open<T: Send + 'static>(
    accessor: &Accessor<T, HasPostgres>,
    address: impl FnOnce(&PostgresState) -> Result<String, Error>,
) -> Result<Resource<PostgresConnection>, Error> {
    let opening = accessor.with(|mut access| {
        let state = access.get();
        address(state).and_then(|address| state.opening(address))
    })?;
    let opened = opening.open().await?;
    accessor.with(|mut access| access.get().push(opened))
}

fn connection<T: Send + 'static>(
    accessor: &Accessor<T, HasPostgres>,
    handle: &Resource<PostgresConnection>,
) -> Result<Arc<Object>, Error> {
    accessor.with(|mut access| access.get().connection(handle))
}
