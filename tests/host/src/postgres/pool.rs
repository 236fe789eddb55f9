//! Owns the connections of one component: a pool per address, as Spin has it.
//!
//! Refuses TLS, which is not compiled in: `sslmode=disable` works, `prefer` (the default) works
//! with a server that has none, and everything else is an error that says so. Refuses timeouts,
//! too: waiting for one of the 64 connections, for an answer while one is cleaned, or for a server
//! that does not answer has no end but the one the connection string sets (`connect_timeout`).

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio_postgres::tls::{MakeTlsConnect, NoTlsStream, TlsConnect};
use tokio_postgres::{Config, Socket};

/// Spin's limit for one address of one component.
const CONNECTIONS_MAX: usize = 64;
/// Spin's limit on addresses of one component that keep their connections.
const POOLS_MAX: usize = 16;

/// The pools of one component, the one used last at the end.
#[derive(Default)]
pub(crate) struct Pools(Mutex<Vec<(String, Pool)>>);

impl Pools {
    /// A connection for `address`, of which `config` is the parsed form. It goes back when the
    /// last clone is dropped, with whatever is open on it: before the next one gets it, its
    /// session is reset, but neither a transaction nor a running statement is ended.
    pub(crate) async fn connection(
        &self,
        address: &str,
        config: Config,
    ) -> anyhow::Result<Arc<Object>> {
        let pool = self.pool(address, config).context("establishing PostgreSQL connection pool")?;
        Ok(Arc::new(pool.get().await?))
    }

    fn pool(&self, address: &str, config: Config) -> anyhow::Result<Pool> {
        // A panic while the lock was held leaves at worst one pool less.
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pools.iter().position(|(known, _)| known == address);
        let entry = match known {
            Some(index) => pools.remove(index),
            None => (address.to_owned(), new(config)?),
        };
        if pools.len() >= POOLS_MAX {
            // Connections in use are closed when they come back.
            pools.remove(0);
        }
        let pool = entry.1.clone();
        pools.push(entry);
        Ok(pool)
    }
}

fn new(config: Config) -> anyhow::Result<Pool> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Clean };
    let manager = Manager::from_config(config, NoTls, recycling);
    Pool::builder(manager)
        .max_size(CONNECTIONS_MAX)
        .build()
        .context("building Postgres connection pool")
}

/// Unlike tokio-postgres's own type of this name it asks the server for TLS where Spin would ask:
/// a connection that Spin encrypts must not quietly go through in the clear here.
#[derive(Clone, Copy)]
struct NoTls;

/// Reaches the component at the end of the connection's error.
#[derive(Debug)]
struct TlsMissing;

impl std::fmt::Display for TlsMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this host has no TLS: add sslmode=disable to the address, or use Spin")
    }
}

impl std::error::Error for TlsMissing {}

impl MakeTlsConnect<Socket> for NoTls {
    type Stream = NoTlsStream;
    type TlsConnect = Self;
    type Error = TlsMissing;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, TlsMissing> {
        Ok(*self)
    }
}

impl TlsConnect<Socket> for NoTls {
    type Stream = NoTlsStream;
    type Error = TlsMissing;
    type Future = Ready<Result<NoTlsStream, TlsMissing>>;

    fn connect(self, _: Socket) -> Self::Future {
        ready(Err(TlsMissing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_unused_longest_loses_its_pool() {
        let pools = Pools::default();
        let known = || pools.0.lock().unwrap().iter().map(|(address, _)| address.clone()).collect();
        for port in 0..POOLS_MAX {
            pools.pool(&port.to_string(), Config::new()).unwrap();
        }
        pools.pool("0", Config::new()).unwrap();
        pools.pool("another", Config::new()).unwrap();
        let addresses: Vec<String> = known();
        assert_eq!(addresses.len(), POOLS_MAX);
        assert_eq!(addresses[0], "2");
        assert_eq!(addresses[POOLS_MAX - 2..], ["0", "another"]);
    }
}
