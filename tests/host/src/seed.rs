//! `--sqlite`: statements run before the application serves.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use crate::sqlite::Location;

const DEFAULT_LABEL: &str = "default";

/// Runs `statements` in order: each is SQL for the default database, `@file`, or `@file:label` for
/// the database with that label, as for `spin up --sqlite`.
pub(crate) fn run(
    statements: &[String],
    databases: &BTreeMap<String, Location>,
) -> anyhow::Result<()> {
    for statement in statements {
        let (sql, label) = match statement.strip_prefix('@') {
            None => (statement.clone(), DEFAULT_LABEL),
            Some(place) => {
                let (file, label) = place.rsplit_once(':').unwrap_or((place, DEFAULT_LABEL));
                let sql = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read --sqlite {statement:?}"))?;
                (sql, label)
            }
        };
        let Some(location) = databases.get(label) else {
            bail!("--sqlite {statement:?}: there is no database {label:?}");
        };
        execute(&sql, location).with_context(|| format!("--sqlite {statement:?}"))?;
    }
    Ok(())
}

fn execute(sql: &str, location: &Location) -> anyhow::Result<()> {
    // An in-memory database would end with this connection, and with it the statements' effect.
    let path = location.path.as_deref().context("the database lies in memory")?;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(rusqlite::Connection::open(path)?.execute_batch(sql)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_texts_and_files_on_the_named_database() {
        let dir = tempfile::tempdir().unwrap();
        let location = |name: &str| Location {
            path: Some(dir.path().join("made/here").join(name)),
            allow_attach_file: false,
        };
        let databases = BTreeMap::from([
            ("default".to_owned(), location("default.db")),
            ("other".to_owned(), location("other.db")),
        ]);
        let file = dir.path().join("seed.sql");
        std::fs::write(&file, "CREATE TABLE t (n); INSERT INTO t VALUES (1), (2);").unwrap();
        let file = file.to_str().unwrap();
        let statements =
            [format!("@{file}"), format!("@{file}:other"), "INSERT INTO t VALUES (3)".to_owned()];
        run(&statements, &databases).unwrap();
        let count = |name: &str| {
            let path = location(name).path.unwrap();
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((count("default.db"), count("other.db")), (3, 2));
        for bad in ["nonsense", "@/no/such/file", &format!("@{file}:unknown")] {
            assert!(run(&[bad.to_owned()], &databases).is_err(), "{bad}");
        }
    }
}
