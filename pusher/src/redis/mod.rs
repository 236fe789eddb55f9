//! What the worker does with Redis: campaigns, test pushes and wake-ups. The record's jobs do not
//! need it.

mod scripts;
mod wake;

pub(crate) use scripts::Store;
pub(crate) use wake::wake;

/// Channel of the wake-ups: a push became due.
const PUSH_CHANNEL: &str = "bw:push";
/// List of the test pushes that wait for a worker.
const PUSH_TESTS: &str = "bw:push:tests";

/// String with the results of a test push.
fn push_test(nonce: &str) -> String {
    format!("bw:push:test:{nonce}")
}
