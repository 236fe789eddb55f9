//! A database as a trait: statements with parameters in, rows out.

mod failure;

pub use failure::{Failure, SqlError};

/// The databases that the record can be stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Embedded, through Spin's `sqlite` interface.
    Sqlite,
    /// Through Spin's `postgres` interface.
    Postgres,
}

impl Backend {
    /// Parses the variable `record`; `None` if it is neither `sqlite` nor `postgres`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Backend::Sqlite),
            "postgres" => Some(Backend::Postgres),
            _ => None,
        }
    }
}

/// A column of a row, or a parameter of a statement. Serialized, it is the bare JSON value.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// Text.
    Text(String),
}

impl Value {
    /// Text from a borrowed string.
    pub fn text(text: &str) -> Self {
        Value::Text(text.to_owned())
    }

    /// Text, or `NULL` for `None`.
    pub fn optional(text: Option<&str>) -> Self {
        text.map_or(Value::Null, Value::text)
    }
}

/// A database that runs one statement at a time, each within its own deadline.
///
/// If the connection breaks during a statement, the statement may run twice. All statements of the
/// record are safe to repeat; a repeated insert of the same id is rejected.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Sql {
    /// Runs `statement` and returns all its rows.
    ///
    /// # Errors
    /// [`SqlError`], classified by [`Failure`].
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError>;

    /// As [`Sql::query`], for a statement that returns at most one row: this saves the call to the
    /// host that asks for a second one.
    ///
    /// # Errors
    /// As [`Sql::query`].
    async fn query_row(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Option<Vec<Value>>, SqlError> {
        Ok(self.query(statement, parameters).await?.pop())
    }
}
