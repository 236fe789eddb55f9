//! The hub: alive and ready.

use super::look::{Look, Server, get};
use super::report::{Findings, Part};
use super::{Alive, clocks, fix};
use crate::failure::Outcome;

/// Whether it answers.
pub async fn alive(look: &Look<'_>) -> Outcome<Alive> {
    let mut findings = Findings::default();
    let answer = look.short_api(Server::Hub)?.send(get("/healthz")).await;
    match &answer {
        Ok(answer) => {
            findings.ok("hub", format!("answers at {}", look.url(Server::Hub)));
            clocks::check(answer, "the hub", &mut findings);
        }
        Err(failure) => {
            let fix = "start it, or correct --hub-url or BELLWIRE_HUB_URL";
            findings.failure(Part::Hub, "hub", failure, fix);
        }
    }
    Ok(Alive { is_there: answer.is_ok(), findings })
}

/// Whether it may get sockets.
pub async fn ready(look: &Look<'_>) -> Outcome<Findings> {
    let mut findings = Findings::default();
    match look.api(Server::Hub, None)?.send(get("/readyz")).await {
        Ok(_) => findings.ok("hub ready", "it has a key, and hears Redis"),
        Err(failure) => findings.failure(Part::Hub, "hub ready", &failure, fix::of(&failure)),
    }
    Ok(findings)
}
