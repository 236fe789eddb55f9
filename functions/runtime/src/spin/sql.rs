//! The configured database.

use super::postgres::SpinPostgres;
use super::rows::Expected;
#[cfg(feature = "sqlite")]
use super::sqlite::SpinSqlite;
use crate::app::config::RecordConfig;
use crate::ports::sql::{Backend, Sql, SqlError, Value};

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

impl Sql for SpinSql {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
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
    ) -> Result<Option<Vec<Value>>, SqlError> {
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
