//! Deadlines: Spin sets none for calls of Redis and databases.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use spin_sdk::time::sleep;

/// The result of `work`, or `None` if it takes longer than `limit`. Then `work` is dropped, which
/// cancels its pending call to the host; the effects of that call may still happen.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(limit))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
