//! Why an operation of the record failed.

use shared::{Code, Error};

use crate::ports::sql::{Failure, SqlError};

/// A failed operation of the record. A write may have taken effect: a statement that timed out may
/// still commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// A statement failed.
    Sql(SqlError),
    /// A row does not have the columns of its statement. The text is for logs.
    Malformed(String),
    /// Other calls kept changing the same rows.
    Busy(&'static str),
    /// No reply within the caller's deadline.
    TimedOut,
}

impl RecordError {
    /// The reason in words for clients, without text of the database.
    pub fn reason(&self) -> &'static str {
        match self.failure() {
            Some(Failure::ReadOnly) => "it is read-only",
            Some(Failure::DiskFull) => "the disk is full",
            Some(Failure::Locked) => "another program keeps it locked",
            _ => "it cannot be reached or does not answer",
        }
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            RecordError::Sql(error) => Some(error.failure),
            RecordError::Malformed(_) | RecordError::Busy(_) | RecordError::TimedOut => None,
        }
    }
}

impl From<SqlError> for RecordError {
    fn from(error: SqlError) -> Self {
        RecordError::Sql(error)
    }
}

impl From<RecordError> for Error {
    fn from(_: RecordError) -> Self {
        Error::new(Code::RecordUnavailable, "the record cannot be reached or does not answer")
    }
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RecordError::Sql(error) => error.fmt(f),
            RecordError::Malformed(text) => write!(f, "malformed row: {text}"),
            RecordError::Busy(text) => f.write_str(text),
            RecordError::TimedOut => f.write_str("no answer in time"),
        }
    }
}
