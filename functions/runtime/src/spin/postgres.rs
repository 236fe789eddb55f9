//! Postgres through the host, which pools the connections.
//!
//! A connection is taken from the pool for one statement and returned with its reply. The pool has
//! 64 connections for all instances of a component. An instance that kept one between requests,
//! even for its one idle second, would withhold it from requests of other instances: these wait in
//! order of arrival for connections that are returned.
//!
//! Every call is one statement and so one transaction: the pool reuses connections without a
//! ROLLBACK. Rows are always collected and the error future is always checked: the host reports
//! success if the rows are dropped early.

use std::time::Duration;

use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError, QueryError};
use spin_sdk::time::sleep;

use super::deadline::within;
use super::rows::{self, Expected};
use crate::ports::sql::{SqlError, Statement, Value};

/// Deadline of a statement, including the wait for a pooled connection, which the host does not
/// limit.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(5);

/// Further attempts to open a connection while the server is busy: for one second, so that readers
/// can still be served without it in time.
const OPENS_MAX: usize = 10;
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// The configured Postgres database.
pub(super) struct SpinPostgres {
    url: String,
}

impl SpinPostgres {
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    /// Runs a statement; the text of a server's error starts with its SQLSTATE.
    pub(super) async fn query(
        &self,
        statement: Statement<'_>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let run = self.collect(statement);
        let outcome = within(STATEMENT_DEADLINE, run).await;
        outcome.unwrap_or_else(|| Err(SqlError::other("no answer in time")))
    }

    async fn collect(&self, statement: Statement<'_>) -> Result<Vec<Vec<Value>>, SqlError> {
        let (text, expected) = (statement.text, Expected::of(&statement));
        let parameters: Vec<_> = statement.parameters.into_iter().map(parameter).collect();
        let mut outcome = self.run(text, parameters.clone(), expected).await;
        // The server stopped during the statement, which may have taken effect. All statements of
        // the record are safe to repeat.
        if outcome.as_ref().is_err_and(is_broken) {
            outcome = self.run(text, parameters, expected).await;
        }
        let rows = outcome.map_err(|error| classify(&error))?;
        rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
    }

    /// Runs a statement on a connection that is returned to the pool before this returns.
    async fn run(
        &self,
        statement: &str,
        parameters: Vec<ParameterValue>,
        expected: Expected,
    ) -> Result<Vec<Vec<DbValue>>, Error> {
        let connection = self.open().await?;
        let (_, rows, verdict) = connection.query(statement, parameters).await?.into_inner();
        rows::collect(rows, verdict, expected).await.map_err(Error::PgError)
    }

    /// Waits for a connection, which the host has checked.
    async fn open(&self) -> Result<Connection, Error> {
        let mut outcome = Connection::open(self.url.as_str()).await;
        for _ in 0..OPENS_MAX {
            match &outcome {
                Err(error) if is_refused_for_now(error) => sleep(OPEN_PAUSE).await,
                _ => break,
            }
            outcome = Connection::open(self.url.as_str()).await;
        }
        outcome
    }
}

/// Whether the connection failed rather than the statement: the client's texts for it, or the
/// server's SQLSTATEs 57P01 to 57P05 (shutdown, crash).
fn is_broken(error: &Error) -> bool {
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

/// Words of a server that has no free connection or is starting; the error has only a text.
const BUSY: [&str; 6] = [
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

fn is_refused_for_now(error: &Error) -> bool {
    matches!(error, Error::PgError(PgError::ConnectionFailed(text)) if has_one_of(text, &BUSY))
}

/// What to look at after a connection failed with `text`, which may contain the address.
fn no_connection(text: &str) -> &'static str {
    const LOGIN: [&str; 4] = ["password authentication failed", "pg_hba.conf", "E28P01", "E28000"];
    const DATABASE: [&str; 2] = ["E3D000", "\" does not exist"];
    const TLS: [&str; 4] = ["TLS", "SSL", "ssl", "certificate"];
    if has_one_of(text, &BUSY) {
        "the server has no free connection, or is starting"
    } else if text.contains("is not permitted") {
        "the address in postgres_url must match postgres_host"
    } else if has_one_of(text, &LOGIN) {
        "the server rejects the user or the password in postgres_url"
    } else if has_one_of(text, &DATABASE) {
        "the server has no such database or user as in postgres_url"
    } else if text.contains("invalid connection string") {
        "postgres_url is not valid"
    } else if has_one_of(text, &TLS) {
        "TLS failed: see sslmode in postgres_url"
    } else {
        "the server in postgres_url cannot be reached"
    }
}

fn parameter(value: Value) -> ParameterValue {
    match value {
        Value::Null => ParameterValue::DbNull,
        Value::Int(value) => ParameterValue::Int64(value),
        Value::Text(text) => ParameterValue::Str(text),
    }
}

fn value(value: DbValue) -> Result<Value, SqlError> {
    match value {
        DbValue::DbNull => Ok(Value::Null),
        DbValue::Int64(value) => Ok(Value::Int(value)),
        DbValue::Int32(value) => Ok(Value::Int(value.into())),
        DbValue::Str(text) => Ok(Value::Text(text)),
        _ => Err(SqlError::other("a column of an unexpected type")),
    }
}

/// Passes on the server's text, and never the address, which may contain a password.
fn classify(error: &Error) -> SqlError {
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
