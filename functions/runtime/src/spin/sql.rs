//! The configured database.

use super::postgres::SpinPostgres;
#[cfg(feature = "sqlite")]
use super::sqlite::SpinSqlite;
use crate::ports::sql::{Backend, Sql, SqlError, Statement, Value};

/// A database through the host.
pub struct SpinSql(Database);

enum Database {
    #[cfg(feature = "sqlite")]
    Sqlite(SpinSqlite),
    Postgres(SpinPostgres),
}

impl SpinSql {
    /// The database of `backend` at `url`; `None` if this build does not include it.
    pub(crate) fn new(backend: Backend, url: String) -> Option<Self> {
        match backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => Some(Self(Database::Sqlite(SpinSqlite::default()))),
            #[cfg(not(feature = "sqlite"))]
            Backend::Sqlite => None,
            Backend::Postgres => Some(Self(Database::Postgres(SpinPostgres::new(url)))),
        }
    }

    /// Whether a statement waits, or did until just now, for a lock that SQLite gives to one writer
    /// at a time.
    pub fn is_locked(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(sqlite) => sqlite.is_locked(),
            Database::Postgres(_) => false,
        }
    }

    async fn run(&self, statement: Statement<'_>) -> Result<Vec<Vec<Value>>, SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(sqlite) => sqlite.query(&mut || statement.clone()).await,
            Database::Postgres(postgres) => postgres.query(statement).await,
        }
    }
}

impl Sql for SpinSql {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        self.run(Statement { text: statement, parameters, has_one_row: false }).await
    }

    async fn query_row(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Option<Vec<Value>>, SqlError> {
        Ok(self.run(Statement { text: statement, parameters, has_one_row: true }).await?.pop())
    }

    async fn query_growing(
        &self,
        next: &mut dyn FnMut() -> Statement<'static>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(sqlite) => sqlite.query(next).await,
            Database::Postgres(postgres) => postgres.query(next()).await,
        }
    }
}
