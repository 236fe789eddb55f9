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
    const ALL: [Self; 2] = [Backend::Sqlite, Backend::Postgres];

    /// The value of the variable `record`.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        }
    }

    /// Parses the variable `record`; `None` if it names no backend.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The names for an error: `sqlite or postgres`.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(" or ")
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

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// The SQL text.
    pub text: &'a str,
    /// The values of its placeholders, in order.
    pub parameters: Vec<Value>,
    /// It returns at most one row, as for [`Sql::query_row`].
    pub has_one_row: bool,
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
    /// Runs the statement that `next` returns, and returns all its rows. A database that lets one
    /// statement write at a time asks `next` before every attempt, so that a statement can take on
    /// more work while it waits for its turn. What the last call returned is what was run.
    ///
    /// # Errors
    /// As [`Sql::query`].
    async fn query_growing(
        &self,
        next: &mut dyn FnMut() -> Statement<'static>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let Statement { text, parameters, has_one_row } = next();
        match has_one_row {
            true => Ok(Vec::from_iter(self.query_row(text, parameters).await?)),
            false => self.query(text, parameters).await,
        }
    }
}
