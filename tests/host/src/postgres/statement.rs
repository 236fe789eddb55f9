//! Owns running statements on one connection, and rows through a bounded channel.
//!
//! Refuses to know about components and permissions; that is `postgres`. Every statement is
//! prepared and then run, two round trips, and is forgotten after it, as in Spin. Order and bounds
//! are Spin's too, because what an error looks like depends on them.

use std::pin::pin;

use deadpool_postgres::Object;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::RowStream;

use super::column::{columns, row_bytes, values};
use super::failure::{failed, failed_text, with_causes};
use super::parameter::parameters;
use crate::bindings::postgres::{Column, Error, ParameterValue, Row, RowSet};

/// Rows that wait between Postgres and a component; one more is in the sender's hand, and what the
/// connection has read from the network waits beside them.
const ROWS_BUFFERED_MAX: usize = 4;
/// Spin's limit on a result (`query`) and on a row (`query-async`).
const RESULT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A running query: the first row or the end was seen, the rows and the verdict follow.
pub(crate) struct Streamed {
    /// None when there is no row.
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: mpsc::Receiver<Row>,
    pub(crate) verdict: oneshot::Receiver<Result<(), Error>>,
}

/// Runs a statement to its end and returns how many rows it changed, or found.
pub(crate) async fn execute(
    connection: &Object,
    statement: &str,
    arguments: &[ParameterValue],
) -> Result<u64, Error> {
    // The one call in which Spin names this error so.
    let parameters =
        parameters(arguments).map_err(|error| Error::ValueConversionFailed(with_causes(&error)))?;
    let changed = connection.execute_raw(statement, parameters).await;
    changed.map_err(|error| failed(&error))
}

/// Runs a statement to its end and returns everything at once.
pub(crate) async fn query(
    connection: &Object,
    statement: &str,
    arguments: &[ParameterValue],
) -> Result<RowSet, Error> {
    let mut found = pin!(start(connection, statement, arguments).await?);
    let mut set = RowSet { columns: Vec::new(), rows: Vec::new() };
    let mut bytes = size_of::<RowSet>();
    while let Some(row) = found.next().await {
        // Spin makes a text of what fails from here on, of an error of the server's too.
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

/// Starts a statement. It returns when the first row is there, or the end: an error in preparing
/// the statement or binding its parameters comes at once, one in running it comes as a failed
/// verdict, and then without columns if there was no row before it.
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
            // Nobody reads any more: a success, whatever the statement would have come to.
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
