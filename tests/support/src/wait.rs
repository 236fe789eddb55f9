//! Waiting for conditions instead of sleeping: every wait has a deadline and names its condition.

use std::time::{Duration, Instant};

/// Long enough for a machine that builds and tests at the same time; a passing test never waits
/// this long.
pub const PATIENCE: Duration = Duration::from_secs(15);
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Repeats `check` until it returns a value.
pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, check).await
}

/// Repeats `check` until it returns a value, for at most `limit`.
pub async fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut check: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Waits for a printed line with all of `words`; returns it. A program's output is read beside the
/// test, so a line can arrive after the answer to the request that caused it.
pub async fn logged(output: impl Fn() -> String, words: &[&str]) -> String {
    eventually(&format!("a line with {words:?}"), async || {
        let output = output();
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        output.lines().find(has_all).map(str::to_owned)
    })
    .await
}

/// Awaits `work` for at most `limit`.
pub async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, work).await {
        Ok(value) => value,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}
