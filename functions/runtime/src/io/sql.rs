//! The configured database.

use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader};

use super::postgres::SpinPostgres;
#[cfg(feature = "sqlite")]
use super::sqlite::SpinSqlite;
use crate::config::RecordConfig;
use crate::record::{Backend, Sql, Value};

/// A database reached through the host.
pub enum SpinSql {
    #[cfg(feature = "sqlite")]
    Sqlite(SpinSqlite),
    Postgres(SpinPostgres),
}

impl SpinSql {
    /// `None` for a database that this build is without.
    pub fn new(config: &RecordConfig) -> Option<Self> {
        match config.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => Some(SpinSql::Sqlite(SpinSqlite::default())),
            #[cfg(not(feature = "sqlite"))]
            Backend::Sqlite => None,
            Backend::Postgres => {
                Some(SpinSql::Postgres(SpinPostgres::new(config.postgres_url.clone())))
            }
        }
    }
}

/// How many rows a statement gives.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// One or none: the host is not asked for a second one, which is a call less.
    Row,
    Rows,
}

/// Takes what a statement gives, and only then its verdict: rows that nobody takes block the
/// statement, and the hosts report success when their stream is dropped early.
pub(super) async fn collect<T, E>(
    mut rows: StreamReader<T>,
    verdict: FutureReader<Result<(), E>>,
    expected: Expected,
) -> Result<Vec<T>, E> {
    let taken = match expected {
        Expected::Row => rows.read(Vec::with_capacity(1)).await.1,
        Expected::Rows => rows.collect().await,
    };
    verdict.await?;
    Ok(taken)
}

impl Sql for SpinSql {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String> {
        match self {
            #[cfg(feature = "sqlite")]
            SpinSql::Sqlite(sqlite) => sqlite.query(statement, parameters, Expected::Rows).await,
            SpinSql::Postgres(postgres) => {
                postgres.query(statement, parameters, Expected::Rows).await
            }
        }
    }

    async fn query_row(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Option<Vec<Value>>, String> {
        let mut rows = match self {
            #[cfg(feature = "sqlite")]
            SpinSql::Sqlite(sqlite) => sqlite.query(statement, parameters, Expected::Row).await,
            SpinSql::Postgres(postgres) => {
                postgres.query(statement, parameters, Expected::Row).await
            }
        }?;
        Ok(rows.pop())
    }
}
