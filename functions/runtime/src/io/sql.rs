//! The configured database.

use crate::record::{Sql, Value};

use super::postgres::SpinPostgres;
use super::sqlite::SpinSqlite;

/// A database reached through the host.
pub enum SpinSql {
    Sqlite(SpinSqlite),
    Postgres(SpinPostgres),
}

impl Sql for SpinSql {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, String> {
        match self {
            SpinSql::Sqlite(sqlite) => sqlite.query(statement, parameters).await,
            SpinSql::Postgres(postgres) => postgres.query(statement, parameters).await,
        }
    }
}
