//! Collects the rows that the host streams, for every database.

use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader};

use crate::ports::sql::Statement;

/// The number of rows of a statement.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// At most one. The host is not asked for a second one, which saves a call.
    Row,
    /// Any number.
    Rows,
}

impl Expected {
    pub(super) fn of(statement: &Statement<'_>) -> Self {
        match statement.has_one_row {
            true => Expected::Row,
            false => Expected::Rows,
        }
    }
}

/// The rows of a statement. They are read before its result: unread rows block the statement, and
/// hosts report success if the stream of rows is dropped early.
pub(super) async fn collect<T, E>(
    mut rows: StreamReader<T>,
    verdict: FutureReader<Result<(), E>>,
    expected: Expected,
) -> Result<Vec<T>, E> {
    let taken = match expected {
        Expected::Row => rows.read(Vec::with_capacity(1)).await.1,
        Expected::Rows => rows.collect().await,
    };
    verdict.await?;
    Ok(taken)
}
