//! `spin:redis`: connections, the address check, the calls.
//!
//! Exactly as in Spin: a broken connection stays broken, calls have no timeout, and the error texts
//! are those of Spin's client version, except for TLS: Spin uses OpenSSL, and this host rustls, with
//! the same certificates (the system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`). Unlike Spin,
//! it never omits their check (`#insecure`).

mod reply;

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, ErrorKind, RedisError};
use wasmtime::component::{Accessor, HasData, Resource, ResourceTable};

use crate::allowed_hosts::AllowedHosts;
use crate::bindings::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use reply::{FlatReply, check_size};

/// Spin's limit per instance.
const CONNECTIONS_MAX: usize = 1024;

type Called<T> = wasmtime::Result<Result<T, Error>>;

/// One connection handle of a component.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct RedisConnection(MultiplexedConnection);

/// One instance's state of Redis.
pub(crate) struct RedisState {
    allowed_hosts: Arc<AllowedHosts>,
    // A separate table, because Spin counts these connections separately.
    connections: ResourceTable,
}

impl RedisState {
    pub(crate) fn new(allowed_hosts: Arc<AllowedHosts>) -> Self {
        let mut connections = ResourceTable::new();
        connections.set_max_capacity(CONNECTIONS_MAX);
        Self { allowed_hosts, connections }
    }

    fn connection(
        &self,
        handle: &Resource<RedisConnection>,
    ) -> Result<MultiplexedConnection, Error> {
        match self.connections.get(handle) {
            Ok(connection) => Ok(connection.0.clone()),
            Err(_) => Err(Error::Other("could not find connection for resource".into())),
        }
    }
}

/// Marks `RedisState` as the data behind the generated traits.
pub(crate) struct HasRedis;

impl HasData for HasRedis {
    type Data<'a> = &'a mut RedisState;
}

impl Host for RedisState {}

impl HostConnection for RedisState {
    async fn drop(&mut self, handle: Resource<RedisConnection>) -> wasmtime::Result<()> {
        self.connections.delete(handle)?;
        Ok(())
    }
}

/// This version of the client sets no timeouts by default.
async fn connect(address: &str) -> Result<MultiplexedConnection, Error> {
    let client = redis::Client::open(address).map_err(|_| Error::InvalidAddress)?;
    client.get_multiplexed_async_connection().await.map_err(other)
}

fn connection<T>(
    accessor: &Accessor<T, HasRedis>,
    handle: &Resource<RedisConnection>,
) -> Result<MultiplexedConnection, Error> {
    accessor.with(|mut access| access.get().connection(handle))
}

impl<T: Send> HostConnectionWithStore<T> for HasRedis {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Called<Resource<RedisConnection>> {
        let allowed_hosts = accessor.with(|mut access| access.get().allowed_hosts.clone());
        if !allowed_hosts.check_url(&address, "redis") {
            return Ok(Err(Error::InvalidAddress));
        }
        let opened = match connect(&address).await {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let pushed =
            accessor.with(|mut access| access.get().connections.push(RedisConnection(opened)));
        Ok(pushed.map_err(|_| Error::TooManyConnections))
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Called<()> {
        Ok(run(accessor, &handle, async |mut c| c.publish(&channel, &payload).await).await)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Called<Option<Vec<u8>>> {
        let got: Result<Option<Vec<u8>>, Error> =
            run(accessor, &handle, async |mut c| c.get(&key).await).await;
        Ok(got.and_then(|value| {
            let bytes = size_of::<Option<Vec<u8>>>() + value.as_ref().map_or(0, Vec::len);
            check_size(bytes).map(|()| value)
        }))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
        value: Vec<u8>,
    ) -> Called<()> {
        Ok(run(accessor, &handle, async |mut c| c.set(&key, &value).await).await)
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Called<i64> {
        Ok(run(accessor, &handle, async |mut c| c.incr(&key, 1).await).await)
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        keys: Vec<String>,
    ) -> Called<u32> {
        Ok(run(accessor, &handle, async |mut c| c.del(&keys).await).await)
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> Called<u32> {
        let mut connection = match connection(accessor, &handle) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        // The only command for which Spin maps the kind of the error.
        Ok(connection.sadd(&key, &values).await.map_err(|error| match error.kind() {
            ErrorKind::TypeError => Error::TypeError,
            _ => other(error),
        }))
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Called<Vec<String>> {
        Ok(run(accessor, &handle, async |mut c| c.smembers(&key).await).await)
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> Called<u32> {
        Ok(run(accessor, &handle, async |mut c| c.srem(&key, &values).await).await)
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Called<Vec<RedisResult>> {
        let mut command = redis::cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(value) => command.arg(value),
                RedisParameter::Binary(value) => command.arg(value),
            };
        }
        let reply: Result<FlatReply, Error> =
            run(accessor, &handle, async |mut c| command.query_async(&mut c).await).await;
        Ok(reply.and_then(FlatReply::checked))
    }
}

async fn run<T, R>(
    accessor: &Accessor<T, HasRedis>,
    handle: &Resource<RedisConnection>,
    call: impl AsyncFnOnce(MultiplexedConnection) -> Result<R, RedisError>,
) -> Result<R, Error> {
    call(connection(accessor, handle)?).await.map_err(other)
}

fn other(error: RedisError) -> Error {
    Error::Other(error.to_string())
}
