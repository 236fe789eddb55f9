//! Background work, which runs on after the response. It may be lost at any moment: with the
//! process, with a trap of its instance, or at the host's request timeout.

use std::time::Duration;

/// Runs `work` in the background; the response does not wait for it.
pub fn spawn(work: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(work);
}

/// Waits for `time`.
pub async fn sleep(time: Duration) {
    spin_sdk::time::sleep(time).await;
}
