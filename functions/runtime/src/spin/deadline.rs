//! Deadlines: Spin sets none on Redis and database calls.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use spin_sdk::time::sleep;

/// Runs `work` for at most `limit`; `None` when the time is up. The work is dropped then, which
/// cancels the call it waits for, but what the other side has begun may still happen.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(limit))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
