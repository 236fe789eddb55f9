//! The functions: alive, ready, and what their figures say.

use serde::Deserialize;

use super::clocks;
use super::report::Report;
use crate::api::{Api, Call};
use crate::failure::{Failure, Outcome};
use crate::output::thousands;

/// Whether they answer.
pub async fn check(api: &Api, url: &str, report: &mut Report) -> Outcome<bool> {
    match api.send(Call::get("/healthz")).await {
        Err(failure) => {
            let fix = "start them, or correct --url or BELLWIRE_URL";
            report.failure("functions", &failure, fix)?;
            return Ok(false);
        }
        Ok(answer) => {
            report.ok("functions", format!("answer at {url}"))?;
            clocks::check(&answer, "the functions", report)?;
        }
    }
    match api.send(Call::get("/readyz")).await {
        Ok(_) => report.ok("functions ready", "key, Redis and record are usable")?,
        Err(failure) => report.failure("functions ready", &failure, ready_fix(&failure))?,
    }
    Ok(true)
}

fn ready_fix(failure: &Failure) -> &'static str {
    match failure.code.as_deref() {
        Some("auth_not_configured") => "give functions and hub the same key: docs/configuration.md",
        Some("redis_unavailable") => {
            "look at Redis, and at the variables redis_url and redis_host; docs/operations.md, \
             \"When Redis fails\""
        }
        Some("record_unavailable") => {
            "look at the database, and at the variables record, postgres_url and postgres_host; \
             docs/operations.md, \"When the database fails\""
        }
        _ => "docs/operations.md, \"Health and readiness\"",
    }
}

/// Figures of Redis.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    used_memory: Option<u64>,
    max_memory: Option<u64>,
    evicted_keys: Option<u64>,
}

#[derive(Deserialize)]
struct Relayed {
    sent: u64,
    pending: u64,
}

/// What needs a token with scopes.
pub async fn look_deeper(api: &Api, report: &mut Report) -> Outcome {
    match api.send(Call::get("/stats")).await {
        Ok(answer) => memory(&answer.json()?, report)?,
        Err(failure) => report.refused("Redis' memory", &failure, "ops:read")?,
    }
    match api.send(Call::post("/admin/relay").repeatable()).await {
        Ok(answer) => relay(&answer.json()?, report),
        Err(failure) => report.refused("relay", &failure, "ops:write"),
    }
}

fn memory(stats: &Stats, report: &mut Report) -> Outcome {
    let check = "Redis' memory";
    if let Some(evicted @ 1..) = stats.evicted_keys {
        let detail = format!("{} keys were evicted", thousands(evicted));
        let fix = "campaigns and queues are in Redis alone: set maxmemory-policy noeviction, or give \
                   it more memory";
        return report.warning(check, detail, fix);
    }
    let (Some(used), Some(most)) = (stats.used_memory, stats.max_memory) else {
        return report.skipped(check, "Redis does not report it");
    };
    let mib = |bytes: u64| thousands(bytes / (1024 * 1024));
    match most {
        0 => report.ok(check, format!("{} MiB, without a limit", mib(used))),
        most => {
            let detail = format!("{} of {} MiB", mib(used), mib(most));
            match used > most / 10 * 9 {
                true => {
                    report.warning(check, detail, "it is full soon: creates are `pending` then")
                }
                false => report.ok(check, detail),
            }
        }
    }
}

fn relay(relayed: &Relayed, report: &mut Report) -> Outcome {
    let detail = match (relayed.sent, relayed.pending) {
        (0, 0) => return report.ok("relay", "nothing is pending"),
        // Also what was just created, or every user after a restart of Redis.
        (sent, 0) => {
            return report.ok("relay", format!("brought the feeds of {sent} users up to date"));
        }
        (_, pending) => format!("the feeds of {pending} users are behind"),
    };
    let fix = "the hub sends what is pending every 30 s if it has --functions-url and \
               --relay-token-file; if this stays, look at its log and at Redis";
    report.warning("relay", detail, fix)
}
