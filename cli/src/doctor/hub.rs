//! The hub: alive and ready.

use super::clocks;
use super::report::Report;
use crate::api::{Api, Call};
use crate::failure::Outcome;

/// Whether it answers.
pub async fn check(api: &Api, url: &str, report: &mut Report) -> Outcome<bool> {
    match api.send(Call::get("/healthz")).await {
        Err(failure) => {
            let fix = "start it, or correct --hub-url or BELLWIRE_HUB_URL";
            report.failure("hub", &failure, fix)?;
            return Ok(false);
        }
        Ok(answer) => {
            report.ok("hub", format!("answers at {url}"))?;
            clocks::check(&answer, "the hub", report)?;
        }
    }
    match api.send(Call::get("/readyz")).await {
        Ok(_) => report.ok("hub ready", "it has a key, and hears Redis")?,
        Err(failure) => {
            let fix = "docs/operations.md, \"Health and readiness\"";
            report.failure("hub ready", &failure, fix)?;
        }
    }
    Ok(true)
}
