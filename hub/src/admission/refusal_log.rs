//! Counts every rejection by reason, and logs one line per minute for each reason and page
//! (`Origin`).
//!
//! A rejected client usually retries, and any client can be rejected as often as it likes with any
//! `Origin`. So the number of lines per minute is bounded, and one more line sums up the rest.

use std::collections::HashSet;
use std::sync::Arc;

use http::header::HeaderValue;
use native::http::RequestId;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::http::refusal_reason::{Reason, Refused};
use crate::limits::{REFUSAL_LINES_MAX, REFUSAL_LOG_INTERVAL, REFUSAL_ORIGIN_BYTES_MAX};
use crate::metrics::Metrics;

/// Counts and logs rejections; see the module.
#[derive(Debug)]
pub struct RefusalLog {
    metrics: Arc<Metrics>,
    // A blocking lock, held for a look-up, never while a line is written.
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    /// The rejections logged in this minute.
    logged: HashSet<Line>,
    /// Rejections without a line, by the index of their reason in [`Reason::ALL`].
    unlogged: [u64; Reason::ALL.len()],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Line {
    reason: Reason,
    /// A text of the hub's own; for a token it names the check that failed.
    detail: String,
    origin: Option<String>,
}

impl RefusalLog {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, minute: Mutex::default() }
    }

    /// Records the rejection of a connection, a handshake or a ticket request.
    pub(crate) fn refused(&self, refused: &Refused, origin: Option<&HeaderValue>, id: &RequestId) {
        self.note(refused.reason, refused.error.detail(), origin, Some(id));
    }

    /// Records the rejection of a connection that sent no valid request.
    pub(crate) fn without_request(&self, reason: Reason, detail: &str) {
        self.note(reason, detail, None, None);
    }

    fn note(
        &self,
        reason: Reason,
        detail: &str,
        origin: Option<&HeaderValue>,
        id: Option<&RequestId>,
    ) {
        self.metrics.refused(reason);
        let origin = origin.map(|origin| shown(origin.as_bytes()));
        let line = Line { reason, detail: detail.to_owned(), origin };
        if !self.minute.lock().takes(&line) {
            return;
        }
        tracing::info!(
            reason = reason.as_str(),
            code = reason.code(),
            detail,
            origin = line.origin.as_deref(),
            request = id.map(tracing::field::display),
            "refused"
        );
    }

    /// Sums up once a minute; ends only by being dropped.
    pub(crate) async fn run(&self) {
        loop {
            sleep(REFUSAL_LOG_INTERVAL).await;
            self.sum_up();
        }
    }

    /// Logs the number of rejections without a line, if there were any, and starts a new minute.
    pub(crate) fn sum_up(&self) {
        let minute = std::mem::take(&mut *self.minute.lock());
        let reasons = Reason::ALL.into_iter().zip(minute.unlogged).filter(|(_, count)| *count > 0);
        let reasons: Vec<String> =
            reasons.map(|(reason, count)| format!("{} {count}", reason.as_str())).collect();
        if !reasons.is_empty() {
            let count: u64 = minute.unlogged.iter().sum();
            tracing::info!(count, reasons = reasons.join(", "), "refused more");
        }
    }
}

impl Minute {
    /// Whether this rejection gets a line.
    fn takes(&mut self, line: &Line) -> bool {
        if !self.logged.contains(line) && self.logged.len() < REFUSAL_LINES_MAX {
            return self.logged.insert(line.clone());
        }
        if let Some(count) = self.unlogged.get_mut(line.reason as usize) {
            *count += 1;
        }
        false
    }
}

/// Untrusted text for the log: its beginning, in ASCII.
fn shown(origin: &[u8]) -> String {
    let beginning = origin.get(..REFUSAL_ORIGIN_BYTES_MAX);
    let mut text = beginning.unwrap_or(origin).escape_ascii().to_string();
    if beginning.is_some_and(|beginning| beginning.len() < origin.len()) {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests;
