//! Why a statement failed: SQLite reports it in words, Postgres by SQLSTATE.

/// The class of a failure: decides whether a statement may be repeated, and what a readiness check
/// reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A table, column, schema or function of the record is missing; the statement had no effect.
    NotMigrated,
    /// A migration adds a column that SQLite's table already has: it knows no `IF NOT EXISTS` there.
    ColumnExists,
    /// The database rolled the statement back to resolve a deadlock, such as that of a prune with
    /// marks.
    Deadlock,
    /// Another create inserted the same idempotency key first, and the statement was rolled back.
    /// SQLite has one writer at a time and no such race.
    KeyRace,
    /// Another connection holds SQLite's write lock.
    Locked,
    /// The database is read-only.
    ReadOnly,
    /// The disk is full.
    DiskFull,
    /// Any other failure. The statement may have taken effect.
    Other,
}

/// The unique indexes of idempotency keys in Postgres.
const KEYS: [&str; 2] = ["notifications_idempotency", "import_key_pkey"];

/// A failed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The class of the failure.
    pub failure: Failure,
    /// The text of the database, for logs only.
    pub text: String,
}

impl SqlError {
    /// Classifies an error text of SQLite.
    pub fn sqlite(text: impl Into<String>) -> Self {
        let text = text.into();
        let missing = [
            "no such table",
            "no such column",
            "has no column named",
            // Its trigger is missing.
            "because it is a view",
        ];
        let failure = if missing.iter().any(|words| text.contains(words)) {
            Failure::NotMigrated
        } else if text.contains("duplicate column name") {
            Failure::ColumnExists
        } else if text.contains("database is locked") {
            Failure::Locked
        } else if text.contains("readonly database") {
            Failure::ReadOnly
        } else if text.contains("disk is full") {
            Failure::DiskFull
        } else {
            Failure::Other
        };
        Self { failure, text }
    }

    /// Classifies an error of Postgres by its SQLSTATE.
    pub fn postgres(sqlstate: &str, message: &str) -> Self {
        let failure = match sqlstate {
            // undefined_table, undefined_column, invalid_schema_name
            "42P01" | "42703" | "3F000" => Failure::NotMigrated,
            // undefined_function; a migration restores only functions of the record.
            "42883" if message.contains("bellwire.") => Failure::NotMigrated,
            // deadlock_detected, serialization_failure: undone either way.
            "40P01" | "40001" => Failure::Deadlock,
            "23505" if KEYS.iter().any(|index| message.contains(index)) => Failure::KeyRace,
            "25006" => Failure::ReadOnly,
            "53100" => Failure::DiskFull,
            _ => Failure::Other,
        };
        Self { failure, text: format!("{sqlstate}: {message}") }
    }

    /// A failure that the database did not report: no connection, no reply in time, a column of an
    /// unexpected type.
    pub fn other(text: impl Into<String>) -> Self {
        Self { failure: Failure::Other, text: text.into() }
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_classified() {
        for (text, expected) in [
            ("no such table: notifications", Failure::NotMigrated),
            ("no such column: locale", Failure::NotMigrated),
            ("table push_token has no column named locale", Failure::NotMigrated),
            ("cannot modify imported because it is a view", Failure::NotMigrated),
            ("duplicate column name: locale", Failure::ColumnExists),
            ("database is locked", Failure::Locked),
            ("attempt to write a readonly database", Failure::ReadOnly),
            ("database or disk is full", Failure::DiskFull),
            ("UNIQUE constraint failed: notifications.id", Failure::Other),
        ] {
            assert_eq!(SqlError::sqlite(text).failure, expected, "{text}");
        }
        for (sqlstate, message, expected) in [
            ("42P01", "relation \"bellwire.feed\" does not exist", Failure::NotMigrated),
            ("42703", "column push_token.locale does not exist", Failure::NotMigrated),
            ("3F000", "schema \"bellwire\" does not exist", Failure::NotMigrated),
            ("42883", "function bellwire.create_one() does not exist", Failure::NotMigrated),
            ("42883", "function lower(integer) does not exist", Failure::Other),
            ("40P01", "deadlock detected", Failure::Deadlock),
            ("40001", "could not serialize access", Failure::Deadlock),
            ("23505", "duplicate key … \"notifications_idempotency\"", Failure::KeyRace),
            ("23505", "duplicate key … \"import_key_pkey\"", Failure::KeyRace),
            ("23505", "duplicate key … \"notifications_pkey\"", Failure::Other),
            ("25006", "cannot execute INSERT in a read-only transaction", Failure::ReadOnly),
            ("53100", "could not extend file", Failure::DiskFull),
        ] {
            assert_eq!(SqlError::postgres(sqlstate, message).failure, expected, "{message}");
        }
    }
}
