//! The databases that every test of the record runs on. Whatever a test has to know about one of
//! them is here, and `match` names them all: another database is a variant, and the compiler asks
//! for the rest.

use std::collections::BTreeMap;

use support::{Functions, Postgres, Record, Setup, token};

/// The database of the record of a test's functions. Statements for it have `@` before the names of
/// its tables.
pub enum Database {
    Sqlite(Record),
    Postgres(Postgres),
}

impl Database {
    /// An empty one of each kind.
    pub async fn each() -> [Self; 2] {
        [Database::Sqlite(Record::new()), Database::Postgres(Postgres::start().await)]
    }

    pub fn name(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Has functions keep their record in it.
    pub fn configure(&self, setup: Setup) -> Setup {
        match self {
            Database::Sqlite(record) => setup.record(record),
            Database::Postgres(postgres) => setup
                .variable("record", "postgres")
                .variable("postgres_url", postgres.url())
                .variable("postgres_host", postgres.address()),
        }
    }

    /// Makes the tables of a database where that takes longer than a request has while other tests
    /// run: most tests are not about that.
    pub async fn migrate(&self, functions: &Functions) {
        match self {
            Database::Sqlite(_) => {}
            Database::Postgres(_) => {
                let migrated = functions.post("/admin/migrate", "");
                migrated.token(&token("ops", "ops:write")).send().await.expect(200);
            }
        }
    }

    /// Runs statements.
    pub fn execute(&self, statements: &str) {
        match self {
            Database::Sqlite(record) => {
                record.open().execute_batch(&statements.replace('@', "")).unwrap()
            }
            Database::Postgres(postgres) => {
                postgres.run(&statements.replace('@', "bellwire."));
            }
        }
    }

    /// The number of rows of a table.
    pub fn count(&self, table: &str) -> i64 {
        match self {
            Database::Sqlite(record) => record.value(&format!("SELECT count(*) FROM {table}")),
            Database::Postgres(postgres) => {
                let count = postgres.run(&format!("SELECT count(*) FROM bellwire.{table}"));
                count.parse().unwrap()
            }
        }
    }

    /// All rows of all tables as text, by table.
    pub fn tables(&self) -> BTreeMap<String, String> {
        match self {
            Database::Sqlite(record) => tables_of_sqlite(&record.open()),
            Database::Postgres(postgres) => {
                let names = "SELECT tablename FROM pg_tables WHERE schemaname = 'bellwire'";
                let names = postgres.run(names);
                let rows = |name: &str| postgres.run(&format!("SELECT * FROM bellwire.{name}"));
                names.lines().map(|name| (name.to_owned(), rows(name))).collect()
            }
        }
    }
}

fn tables_of_sqlite(connection: &rusqlite::Connection) -> BTreeMap<String, String> {
    let mut names =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows = |name: &str| {
        let mut all = connection.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = all.column_count();
        let rows = all.query_map([], |row| {
            let cell = |at: usize| {
                row.get_ref(at).map(|value| match value.as_bytes() {
                    Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Err(_) => format!("{value:?}"),
                })
            };
            Ok((0..columns).map(|at| cell(at).unwrap()).collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("\n")
    };
    names.map(Result::unwrap).map(|name| (name.clone(), rows(&name))).collect()
}
