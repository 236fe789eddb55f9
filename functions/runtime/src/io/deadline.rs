//! Deadlines: Spin sets none on Redis and database calls.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use spin_sdk::time::sleep;

#[cfg(target_family = "wasm")]
use super::tick::tick;

/// Elsewhere there is no host to call, and nothing ticks.
#[cfg(not(target_family = "wasm"))]
use std::future::pending as tick;

/// Runs `work` for at most `limit` and a tick; `None` when the time is up. The work is dropped then,
/// which cancels the call it waits for, but what the other side has begun may still happen.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let ticked: Either<_, ((), _)> = select(work.as_mut(), tick()).await;
    if let Either::Left((output, _)) = ticked {
        return Some(output);
    }
    match select(work, pin!(sleep(limit))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
