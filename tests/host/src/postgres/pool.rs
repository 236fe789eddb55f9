//! The connections of one component: a pool per address, as in Spin.
//!
//! Has no timeouts: waiting for one of the 64 connections, for the clean-up of a connection, or for
//! a silent server is limited only by the connection string (`connect_timeout`).

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use super::tls;

/// Spin's limit for one address of one component.
const CONNECTIONS_MAX: usize = 64;
/// Spin's limit on addresses of one component that keep their connections.
const POOLS_MAX: usize = 16;

const CERTIFICATES: &str = "reading the system's TLS certificates";

/// The pools of one component; the last one was used last.
#[derive(Default)]
pub(crate) struct Pools(Mutex<Vec<(String, Pool)>>);

impl Pools {
    /// A connection to `address`; `config` is its parsed form. It returns to the pool when the last
    /// clone is dropped. Before its next use the session is reset, but an open transaction or a
    /// running statement is not ended.
    pub(crate) async fn connection(
        &self,
        address: &str,
        config: Config,
    ) -> anyhow::Result<Arc<Object>> {
        let pool = self.pool(address, config).context("establishing PostgreSQL connection pool")?;
        Ok(Arc::new(pool.get().await?))
    }

    fn pool(&self, address: &str, config: Config) -> anyhow::Result<Pool> {
        // A panic while the lock was held costs at most one pool.
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pools.iter().position(|(known, _)| known == address);
        let entry = match known {
            Some(index) => pools.remove(index),
            None => (address.to_owned(), new(config)?),
        };
        if pools.len() >= POOLS_MAX {
            // Connections in use are closed when they return.
            pools.remove(0);
        }
        let pool = entry.1.clone();
        pools.push(entry);
        Ok(pool)
    }
}

fn new(config: Config) -> anyhow::Result<Pool> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Clean };
    let manager = match config.get_ssl_mode() {
        SslMode::Disable => Manager::from_config(config, NoTls, recycling),
        _ => Manager::from_config(config, tls::connector().context(CERTIFICATES)?, recycling),
    };
    Pool::builder(manager)
        .max_size(CONNECTIONS_MAX)
        .build()
        .context("building Postgres connection pool")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_address_loses_its_pool() {
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
