//! Clocks: tokens, idempotency keys and expiry compare times of several machines.

use std::time::SystemTime;

use super::report::Findings;
use crate::api::Answer;
use crate::limits::{CLOCK_FAIL_S, CLOCK_WARN_S};

/// Compares the header `Date` of an answer with this machine's clock.
pub fn check(answer: &Answer, whose: &str, findings: &mut Findings) {
    let check = format!("clock of {whose}");
    let date = answer.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
    let Some(date) = date else {
        return findings.skipped(&check, "its answers have no Date");
    };
    let now = SystemTime::now();
    let (apart, direction) = match now.duration_since(date) {
        Ok(behind) => (behind.as_secs(), "behind"),
        Err(ahead) => (ahead.duration().as_secs(), "ahead of"),
    };
    let detail = format!("{apart} s {direction} this machine's");
    let fix = "keep both in step with NTP: tokens have 60 s of leeway";
    match apart {
        CLOCK_FAIL_S.. => findings.wrong(&check, detail, fix),
        CLOCK_WARN_S.. => findings.warning(&check, detail, fix),
        0 | 1 => findings.ok(&check, "in step with this machine's"),
        _ => findings.ok(&check, detail),
    }
}
