//! Why a statement failed, so far as the database tells: SQLite in words, Postgres by SQLSTATE.

/// The class of a failure: decides whether a statement may be repeated, and what a readiness check
/// reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A table, schema or function of the record is missing: nothing was done.
    NotMigrated,
    /// The statement was undone so that another one could go on, as a prune among marks.
    Deadlock,
    /// Another create inserted the same idempotency key first: the statement was undone. SQLite has
    /// one writer at a time and no such race.
    KeyRace,
    /// Another connection holds SQLite's write lock.
    Locked,
    /// The database refuses writes.
    ReadOnly,
    /// There is no space left for writes.
    DiskFull,
    /// Anything else. Whether the statement took effect is not known.
    Other,
}

/// A failed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// Its class.
    pub failure: Failure,
    /// The database's own words, for logs only.
    pub text: String,
}

impl SqlError {
    /// Classifies an error text of SQLite.
    pub fn sqlite(text: impl Into<String>) -> Self {
        let text = text.into();
        let failure = if text.contains("no such table") {
            Failure::NotMigrated
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

    /// Classifies an answer of Postgres by its SQLSTATE.
    pub fn postgres(sqlstate: &str, message: &str) -> Self {
        let failure = match sqlstate {
            // undefined_table, invalid_schema_name
            "42P01" | "3F000" => Failure::NotMigrated,
            // undefined_function; migrating restores only the record's own.
            "42883" if message.contains("bellwire.") => Failure::NotMigrated,
            "40P01" => Failure::Deadlock,
            "23505" if message.contains("notifications_idempotency") => Failure::KeyRace,
            "25006" => Failure::ReadOnly,
            "53100" => Failure::DiskFull,
            _ => Failure::Other,
        };
        Self { failure, text: format!("{sqlstate}: {message}") }
    }

    /// A failure that is not the database's answer: no connection, no answer in time, a column of
    /// an unexpected type.
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
            ("database is locked", Failure::Locked),
            ("attempt to write a readonly database", Failure::ReadOnly),
            ("database or disk is full", Failure::DiskFull),
            ("UNIQUE constraint failed: notifications.id", Failure::Other),
        ] {
            assert_eq!(SqlError::sqlite(text).failure, expected, "{text}");
        }
        for (sqlstate, message, expected) in [
            ("42P01", "relation \"bellwire.feed\" does not exist", Failure::NotMigrated),
            ("3F000", "schema \"bellwire\" does not exist", Failure::NotMigrated),
            ("42883", "function bellwire.create_one() does not exist", Failure::NotMigrated),
            ("42883", "function lower(integer) does not exist", Failure::Other),
            ("40P01", "deadlock detected", Failure::Deadlock),
            ("23505", "duplicate key … \"notifications_idempotency\"", Failure::KeyRace),
            ("23505", "duplicate key … \"notifications_pkey\"", Failure::Other),
            ("25006", "cannot execute INSERT in a read-only transaction", Failure::ReadOnly),
            ("53100", "could not extend file", Failure::DiskFull),
        ] {
            assert_eq!(SqlError::postgres(sqlstate, message).failure, expected, "{message}");
        }
    }
}
