//! What an error of Postgres or of its client means: the connection or the statement, now or for
//! good. Opens no connection.

use spin_sdk::pg::{Error, PgError, QueryError};

use crate::ports::sql::SqlError;

/// SQLSTATE 25006: a standby, or a primary that was made read-only.
pub(super) fn is_read_only(error: &Error) -> bool {
    matches!(error, Error::PgError(PgError::QueryFailed(QueryError::DbError(error)))
        if error.code == "25006")
}

/// Whether the connection failed rather than the statement: the client's texts for it, or the
/// server's SQLSTATEs 57P01 to 57P05 (shutdown, crash).
pub(super) fn is_broken(error: &Error) -> bool {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
            error.code.starts_with("57P")
        }
        Error::PgError(PgError::QueryFailed(QueryError::Text(text))) => {
            text.contains("kind: Closed") || text.contains("kind: Io")
        }
        _ => false,
    }
}

/// No connection within the deadline of an attempt.
pub(super) const SILENT: &str = "no connection in time";

/// The client's words for a server that `target_session_attrs=read-write` rejects.
const STANDBY: &str = "does not allow writes";

/// Words of a server that has no free connection, is starting or is to be promoted; the error has
/// only a text.
const BUSY: [&str; 8] = [
    SILENT,
    STANDBY,
    "too many clients",
    // The last slots are kept for superusers and, since Postgres 16, for `pg_use_reserved`.
    "remaining connection slots are reserved",
    // A limit of the role or the database.
    "too many connections for",
    "starting up",
    "in recovery mode",
    "not yet accepting connections",
];

fn has_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|words| text.contains(words))
}

pub(super) fn is_refused_for_now(error: &Error) -> bool {
    matches!(error, Error::PgError(PgError::ConnectionFailed(text)) if has_one_of(text, &BUSY))
}

/// What to look at after a connection failed with `text`, which may contain the address.
fn no_connection(text: &str) -> &'static str {
    const LOGIN: [&str; 4] = ["password authentication failed", "pg_hba.conf", "E28P01", "E28000"];
    const DATABASE: [&str; 2] = ["E3D000", "\" does not exist"];
    const TLS: [&str; 3] = ["TLS", "SSL", "ssl"];
    if text == SILENT {
        "the server in postgres_url does not answer"
    } else if text.contains(STANDBY) {
        "the server in postgres_url is read-only, and target_session_attrs excludes that"
    } else if has_one_of(text, &BUSY) {
        "the server has no free connection, or is starting"
    } else if text.contains("is not permitted") {
        "the address in postgres_url must match postgres_host"
    } else if has_one_of(text, &LOGIN) {
        "the server rejects the user or the password in postgres_url"
    } else if has_one_of(text, &DATABASE) {
        "the server has no such database or user as in postgres_url"
    } else if text.contains("invalid connection string") {
        "postgres_url is not valid"
    } else if text.contains("certificate") {
        "the host does not accept the server's TLS certificate: see its authority, name and dates"
    } else if has_one_of(text, &TLS) {
        "TLS failed: see sslmode in postgres_url"
    } else {
        "the server in postgres_url cannot be reached"
    }
}

/// Passes on the server's text, and never the address, which may contain a password.
pub(super) fn classify(error: &Error) -> SqlError {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
            SqlError::postgres(&error.code, &error.message)
        }
        Error::PgError(PgError::ConnectionFailed(text)) => {
            SqlError::other(format!("no connection: {}", no_connection(text)))
        }
        Error::PgError(
            PgError::QueryFailed(QueryError::Text(text))
            | PgError::BadParameter(text)
            | PgError::ValueConversionFailed(text),
        ) => SqlError::other(text.clone()),
        _ => SqlError::other("the database failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connection_says_what_to_look_at_and_no_address() {
        // Texts of tokio-postgres, as the host passes them on.
        for (text, expected) in [
            ("FATAL: sorry, too many clients already", "no free connection"),
            ("FATAL: the database system is starting up", "no free connection"),
            ("address postgres://u:secret@db:5432 is not permitted", "must match postgres_host"),
            ("db error: FATAL: password authentication failed for user \"bellwire\"", "password"),
            ("FATAL: no pg_hba.conf entry for host \"10.0.0.1\", no encryption", "password"),
            ("FATAL: database \"secret\" does not exist", "no such database"),
            ("FATAL: role \"secret\" does not exist", "no such database or user"),
            ("invalid connection string: unknown option `secret`", "postgres_url is not valid"),
            ("error performing TLS handshake: server does not support TLS", "sslmode"),
            ("error connecting to server: Connection refused (os error 111)", "cannot be reached"),
            ("error connecting to server: timed out", "cannot be reached"),
            ("error connecting to server: database does not allow writes", "is read-only"),
            (SILENT, "does not answer"),
        ] {
            let error = Error::PgError(PgError::ConnectionFailed(text.to_owned()));
            let told = classify(&error).text;
            assert!(told.starts_with("no connection: ") && told.contains(expected), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn a_server_without_a_free_slot_is_asked_again() {
        let is_refused = |text: &str| {
            let text = format!("Error occurred while creating a new object: db error: {text}");
            is_refused_for_now(&Error::PgError(PgError::ConnectionFailed(text)))
        };
        for text in [
            "FATAL: sorry, too many clients already",
            "FATAL: too many connections for role \"bellwire\"",
            "FATAL: too many connections for database \"bellwire\"",
            // Up to Postgres 15, and since 16.
            "FATAL: remaining connection slots are reserved for non-replication superuser \
             connections",
            "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "FATAL: remaining connection slots are reserved for roles with privileges of the \
             \"pg_use_reserved_connections\" role",
            "FATAL: the database system is starting up",
            "FATAL: the database system is in recovery mode",
            "FATAL: the database system is not yet accepting connections",
            "error connecting to server: database does not allow writes",
        ] {
            assert!(is_refused(text), "{text}");
        }
        for text in [
            "FATAL: password authentication failed for user \"bellwire\"",
            "FATAL: database \"bellwire\" does not exist",
            "FATAL: role \"bellwire\" is not permitted to log in",
            "FATAL: database \"bellwire\" is not currently accepting connections",
        ] {
            assert!(!is_refused(text), "{text}");
        }
    }

    /// The same words in a statement's error say nothing about the connection.
    #[test]
    fn a_statement_that_failed_is_not_a_refused_connection() {
        let text = "too many clients".to_owned();
        assert!(!is_refused_for_now(&Error::PgError(PgError::QueryFailed(QueryError::Text(text)))));
    }
}
