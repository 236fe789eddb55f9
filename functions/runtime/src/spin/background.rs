//! Work that goes on after the answer. It may be lost at any moment: with the process, with a trap
//! of its instance, or at the host's request timeout.

use std::time::Duration;

/// Starts `work` beside the request that calls it; the answer does not wait for it.
pub fn spawn(work: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(work);
}

pub async fn sleep(time: Duration) {
    spin_sdk::time::sleep(time).await;
}
