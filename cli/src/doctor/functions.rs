//! The functions: alive, ready, and what their figures say.

use serde::Deserialize;
use tokio::try_join;

use super::look::{Look, Server, get};
use super::part::Part;
use super::report::Findings;
use super::{Alive, clocks, fix};
use crate::api::{Call, Repeat};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{counted, thousands};
use crate::secrets::Token;

/// Whether they answer.
pub async fn alive(look: &Look<'_>) -> Outcome<Alive> {
    let mut findings = Findings::default();
    let answer = look.short_api(Server::Functions)?.send(get("/healthz")).await;
    let answer = answer.and_then(|answer| look.expect_ok(Server::Functions, answer));
    match &answer {
        Ok(answer) => {
            findings.ok("functions", format!("answer at {}", look.url(Server::Functions)));
            clocks::check(answer, "the functions", &mut findings);
        }
        Err(failure) => {
            let fix = fix::of_absent(failure, Server::Functions);
            findings.failure(Part::Functions, "functions", failure, fix);
        }
    }
    Ok(Alive { is_there: answer.is_ok(), findings })
}

/// Whether they can serve requests.
pub async fn ready(look: &Look<'_>) -> Outcome<Findings> {
    let (check, mut findings) = ("functions ready", Findings::default());
    let answer = look.api(Server::Functions, None)?.send(get("/readyz")).await;
    match answer.and_then(|answer| look.expect_ok(Server::Functions, answer)) {
        Ok(_) => findings.ok(check, "key, Redis and record are usable"),
        Err(failure) => findings.failure(Part::Functions, check, &failure, fix::of(&failure)),
    }
    Ok(findings)
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
pub async fn figures(look: &Look<'_>, token: &Token) -> Outcome<Findings> {
    let (memory, relay) = try_join!(memory(look, token), relay(look, token))?;
    Ok(memory.and(relay))
}

async fn memory(look: &Look<'_>, token: &Token) -> Outcome<Findings> {
    let (check, mut findings) = ("Redis' memory", Findings::default());
    let answer = look.api(Server::Functions, Some(token.clone()))?.send(get("/stats")).await;
    match answer.and_then(|answer| answer.json::<Stats>()) {
        Ok(stats) => judge_memory(check, &stats, &mut findings),
        Err(failure) => unknown(check, &failure, "ops:read", &mut findings),
    }
    Ok(findings)
}

async fn relay(look: &Look<'_>, token: &Token) -> Outcome<Findings> {
    let (check, mut findings) = ("relay", Findings::default());
    // Once: while many feeds are behind, each call takes all the time that there is.
    let call = Call::post("/admin/relay").repeat(Repeat::Never);
    let answer = look.api(Server::Functions, Some(token.clone()))?.send(call).await;
    match answer.and_then(|answer| answer.json::<Relayed>()) {
        Ok(relayed) => judge_relay(check, &relayed, &mut findings),
        Err(failure) if failure.code.is_none() && failure.kind == Kind::Unreachable => {
            let fix = "it works on while many feeds are behind the record: look again in a minute";
            findings.slow(Part::Functions, check, &failure, fix);
        }
        Err(failure) => unknown(check, &failure, "ops:write", &mut findings),
    }
    Ok(findings)
}

/// A call that the token does not permit is not a finding.
fn unknown(check: &str, failure: &Failure, scope: &str, findings: &mut Findings) {
    match (failure.kind, failure.code.as_deref()) {
        (Kind::Unauthorized, Some("forbidden")) => {
            findings.skipped(check, format!("the token lacks {scope}"));
        }
        (Kind::Unauthorized, Some(_)) => {
            findings.skipped(check, "not checked: the token is rejected");
        }
        _ => findings.unchecked(Part::Functions, check, failure, fix::of(failure)),
    }
}

fn judge_memory(check: &str, stats: &Stats, findings: &mut Findings) {
    if let Some(evicted @ 1..) = stats.evicted_keys {
        let detail = format!("{} evicted since Redis started", counted(evicted, "key", "keys"));
        let fix = "campaigns and queues are in Redis alone: set maxmemory-policy noeviction, or give \
                   it more memory";
        return findings.warning(check, detail, fix);
    }
    let (Some(used), Some(most)) = (stats.used_memory, stats.max_memory) else {
        return findings.skipped(check, "Redis does not report it");
    };
    let mib = |bytes: u64| thousands(bytes / (1024 * 1024));
    if most == 0 {
        return findings.ok(check, format!("{} MiB, without a limit", mib(used)));
    }
    let detail = format!("{} of {} MiB", mib(used), mib(most));
    match used > most / 10 * 9 {
        true => findings.warning(check, detail, "it is full soon: creates are `pending` then"),
        false => findings.ok(check, detail),
    }
}

fn judge_relay(check: &str, relayed: &Relayed, findings: &mut Findings) {
    let feeds = |count| counted(count, "feed", "feeds");
    match (relayed.sent, relayed.pending) {
        (0, 0) => findings.ok(check, "nothing is pending"),
        // Also what was just created, or every user after a restart of Redis.
        (sent, 0) => findings.ok(check, format!("brought {} up to date", feeds(sent))),
        (_, pending) => {
            let fix = "the hub sends what is pending every 30 s if it has --functions-url and \
                       --relay-token-file; if this stays, look at its log and at Redis";
            findings.warning(check, format!("{} behind the record", feeds(pending)), fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(judge: impl FnOnce(&mut Findings)) -> String {
        let mut findings = Findings::default();
        judge(&mut findings);
        format!("{findings:?}")
    }

    #[test]
    fn one_feed_and_one_key_are_no_plural() {
        for (sent, pending, text) in [
            (1, 0, "brought 1 feed up to date"),
            (2, 0, "brought 2 feeds up to date"),
            (0, 1, "1 feed behind the record"),
            (5, 2, "2 feeds behind the record"),
        ] {
            let found = shown(|findings| {
                judge_relay("relay", &Relayed { sent, pending }, findings);
            });
            assert!(found.contains(text), "{found}");
        }
        let stats = Stats { used_memory: None, max_memory: None, evicted_keys: Some(1) };
        let found = shown(|findings| judge_memory("memory", &stats, findings));
        assert!(found.contains("1 key evicted"), "{found}");
    }

    #[test]
    fn a_token_that_may_not_ask_is_no_finding() {
        let told = |code: &str| {
            let failure = Failure::new(Kind::Unauthorized, "no");
            let failure = Failure { code: Some(code.to_owned()), ..failure };
            shown(|findings| unknown("relay", &failure, "ops:write", findings))
        };
        assert!(told("forbidden").contains("the token lacks ops:write"));
        assert!(told("unauthorized").contains("the token is rejected"));
    }
}
