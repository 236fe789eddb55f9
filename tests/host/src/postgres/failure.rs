//! The form in which a component sees errors of Postgres and of its client.

use std::fmt::Display;

use tokio_postgres::error::DbError as Reported;

use crate::bindings::postgres::{DbError, Error, QueryError};

/// A server error has its fields; a client error (a lost connection, a parameter of the wrong type)
/// has only a text.
pub(crate) fn failed(error: &tokio_postgres::Error) -> Error {
    let as_text = format!("{error:?}");
    Error::QueryFailed(match error.as_db_error() {
        None => QueryError::Text(as_text),
        Some(reported) => QueryError::DbError(DbError {
            as_text,
            severity: reported.severity().to_owned(),
            code: reported.code().code().to_owned(),
            message: reported.message().to_owned(),
            detail: reported.detail().map(ToOwned::to_owned),
            extras: extras(reported),
        }),
    })
}

pub(crate) fn failed_text(text: &impl Display) -> Error {
    Error::QueryFailed(QueryError::Text(text.to_string()))
}

/// An error with its causes, as `anyhow` prints them, but never with a backtrace.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    let causes: Vec<_> = error.chain().skip(1).collect();
    if !causes.is_empty() {
        text += "\n\nCaused by:";
    }
    for (index, cause) in causes.iter().enumerate() {
        match causes.len() {
            1 => text += &format!("\n    {cause}"),
            _ => text += &format!("\n    {index}: {cause}"),
        }
    }
    text
}

/// The other fields, if present, under Spin's names.
fn extras(reported: &Reported) -> Vec<(String, String)> {
    let text = |field: Option<&str>| field.map(ToOwned::to_owned);
    let fields = [
        ("column", text(reported.column())),
        ("constraint", text(reported.constraint())),
        ("routine", text(reported.routine())),
        ("hint", text(reported.hint())),
        ("table", text(reported.table())),
        ("datatype", text(reported.datatype())),
        ("schema", text(reported.schema())),
        ("file", text(reported.file())),
        ("line", reported.line().map(|line| line.to_string())),
        ("where_", text(reported.where_())),
    ];
    fields.into_iter().filter_map(|(name, field)| Some((name.to_owned(), field?))).collect()
}
