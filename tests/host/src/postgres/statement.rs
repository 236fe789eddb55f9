//! Runs statements on one connection, and sends rows through a bounded channel.
//!
//! Knows nothing of components and permissions; that is in `postgres`. As in Spin, every statement
//! is prepared, run and closed, in two round trips. Order and bounds are Spin's, too, because
//! errors depend on them.

use std::pin::pin;

use deadpool_postgres::Object;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::RowStream;

use super::column::{columns, row_bytes, values};
use super::failure::{failed, failed_text, with_causes};
use super::parameter::parameters;
use crate::bindings::postgres::{Column, Error, ParameterValue, Row, RowSet};

/// Rows that wait between Postgres and a component, besides one with the sender and the bytes that
/// the connection has already read.
const ROWS_BUFFERED_MAX: usize = 4;
/// Spin's limit on a result (`query`) and on a row (`query-async`).
const RESULT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A running query after its first row or its end; further rows and the verdict follow.
pub(crate) struct Streamed {
    /// Empty without a row.
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: mpsc::Receiver<Row>,
    pub(crate) verdict: oneshot::Receiver<Result<(), Error>>,
}

/// Runs a statement to its end and returns the number of changed (or found) rows.
pub(crate) async fn execute(
    connection: &Object,
    statement: &str,
    arguments: &[ParameterValue],
) -> Result<u64, Error> {
    // The only call in which Spin uses this error.
    let parameters =
        parameters(arguments).map_err(|error| Error::ValueConversionFailed(with_causes(&error)))?;
    let changed = connection.execute_raw(statement, parameters).await;
    changed.map_err(|error| failed(&error))
}

/// Runs a statement to its end and returns the whole result.
pub(crate) async fn query(
    connection: &Object,
    statement: &str,
    arguments: &[ParameterValue],
) -> Result<RowSet, Error> {
    let mut found = pin!(start(connection, statement, arguments).await?);
    let mut set = RowSet { columns: Vec::new(), rows: Vec::new() };
    let mut bytes = size_of::<RowSet>();
    while let Some(row) = found.next().await {
        // From here on Spin turns every error into text, including server errors.
        let row = row.map_err(|error| failed_text(&failed(&error)))?;
        if set.rows.is_empty() {
            set.columns = columns(&row);
        }
        let row = values(&row).map_err(|error| failed_text(&failed_text(&with_causes(&error))))?;
        bytes += row_bytes(&row);
        check_size(bytes)?;
        set.rows.push(row);
    }
    Ok(set)
}

/// Starts a statement. Returns at the first row or at the end: errors of preparing the statement or
/// binding its parameters come at once, later errors as a failed verdict, without columns if there
/// was no row before.
pub(crate) async fn stream(
    connection: &Object,
    statement: &str,
    arguments: &[ParameterValue],
) -> Result<Streamed, Error> {
    let found = start(connection, statement, arguments).await?;
    let (columns_tx, columns_rx) = oneshot::channel();
    let (rows_tx, rows) = mpsc::channel(ROWS_BUFFERED_MAX);
    let (verdict_tx, verdict) = oneshot::channel();
    tokio::spawn(async move {
        let result = send(found, columns_tx, rows_tx).await;
        let _ = verdict_tx.send(result);
    });
    let columns = columns_rx.await.unwrap_or_default();
    Ok(Streamed { columns, rows, verdict })
}

async fn start(
    connection: &Object,
    statement: &str,
    arguments: &[ParameterValue],
) -> Result<RowStream, Error> {
    let parameters =
        parameters(arguments).map_err(|error| Error::BadParameter(with_causes(&error)))?;
    connection.query_raw(statement, parameters).await.map_err(|error| failed(&error))
}

async fn send(
    found: RowStream,
    names: oneshot::Sender<Vec<Column>>,
    rows: mpsc::Sender<Row>,
) -> Result<(), Error> {
    let mut found = pin!(found);
    let mut names = Some(names);
    loop {
        let next = tokio::select! {
            biased;
            // The rows are no longer read: a success, whatever the statement's result.
            () = rows.closed() => return Ok(()),
            next = found.next() => next,
        };
        let Some(row) = next else { return Ok(()) };
        let row = row.map_err(|error| failed(&error))?;
        if let Some(names) = names.take() {
            let _ = names.send(columns(&row));
        }
        let row = values(&row).map_err(|error| failed_text(&with_causes(&error)))?;
        check_size(row_bytes(&row))?;
        let sent = rows.send(row).await;
        sent.map_err(|error| failed_text(&format_args!("async error: {error}")))?;
    }
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > RESULT_BYTES_MAX {
        let text = format_args!("query result exceeds limit of {RESULT_BYTES_MAX} bytes");
        return Err(failed_text(&text));
    }
    Ok(())
}
