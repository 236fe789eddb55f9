//! Rows as the host streams them, the same for both databases.

use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader};

/// How many rows a statement gives.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// One or none: the host is not asked for a second one, which is a call less.
    Row,
    Rows,
}

/// Takes what a statement gives, and only then its verdict: rows that nobody takes block the
/// statement, and the hosts report success when their stream is dropped early.
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
