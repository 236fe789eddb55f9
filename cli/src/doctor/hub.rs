//! The hub: alive and ready.

use super::look::{Look, Server, get};
use super::part::Part;
use super::report::Findings;
use super::{Alive, clocks, fix};
use crate::failure::Outcome;

/// Whether it answers.
pub async fn alive(look: &Look<'_>) -> Outcome<Alive> {
    let mut findings = Findings::default();
    let answer = look.short_api(Server::Hub)?.send(get("/healthz")).await;
    let answer = answer.and_then(|answer| look.expect_ok(Server::Hub, answer));
    match &answer {
        Ok(answer) => {
            findings.ok("hub", format!("answers at {}", look.url(Server::Hub)));
            clocks::check(answer, "the hub", &mut findings);
        }
        Err(failure) => {
            let fix = fix::of_absent(failure, Server::Hub);
            findings.failure(Part::Hub, "hub", failure, fix);
        }
    }
    Ok(Alive { is_there: answer.is_ok(), findings })
}

/// Whether it may get sockets.
pub async fn ready(look: &Look<'_>) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let answer = look.api(Server::Hub, None)?.send(get("/readyz")).await;
    match answer.and_then(|answer| look.expect_ok(Server::Hub, answer)) {
        Ok(_) => findings.ok("hub ready", "it has a key, and hears Redis"),
        Err(failure) => findings.failure(Part::Hub, "hub ready", &failure, fix::of(&failure)),
    }
    Ok(findings)
}
