//! Whether functions and hub accept the token, and one that is made with the key: whether their keys
//! agree.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::report::Report;
use crate::api::{Api, Call, join};
use crate::failure::{Failure, Kind, Outcome};
use crate::secrets::{NewToken, Token};
use crate::settings::Settings;

/// What a server says to a token.
#[derive(Debug)]
enum Answered {
    Accepted,
    Rejected(Failure),
    /// Nobody knows: no answer, or one about something else.
    Unknown(Failure),
}

/// The user of tokens that are made here.
const SUB: &str = "bellwire-doctor";
const TTL: Duration = Duration::from_secs(60);

pub async fn check(
    settings: &Settings,
    are_functions_there: bool,
    is_hub_there: bool,
    report: &mut Report,
) -> Outcome {
    let both = (are_functions_there, is_hub_there);
    match settings.token.read() {
        Ok(token) => {
            if is_alive(&token, report)? {
                compare(settings, "token", &token, both, report).await?;
            }
        }
        Err(failure) => {
            report.warning("token", &failure.detail, failure.hint.as_deref().unwrap_or_default())?
        }
    }
    if !settings.key.is_there() {
        return report.skipped("key", "--key-file or BELLWIRE_KEY_FILE compares it with theirs");
    }
    match settings.key.mint(&NewToken { sub: SUB, ttl: TTL, ..NewToken::default() }) {
        Ok(token) => compare(settings, "key", &token, both, report).await,
        Err(failure) => report.failure("key", &failure, ""),
    }
}

/// Whether a token of a JWT's form has not expired.
fn is_alive(token: &Token, report: &mut Report) -> Outcome<bool> {
    let Some(exp) = token.claims().and_then(|claims| claims["exp"].as_f64()) else {
        return Ok(true);
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    if exp > now {
        return Ok(true);
    }
    let detail = format!("it expired {:.0} s ago ({})", now - exp, token.source);
    report.wrong("token", detail, "get a new one; `bellwire token` makes one for development")?;
    Ok(false)
}

async fn compare(
    settings: &Settings,
    check: &str,
    token: &Token,
    (are_functions_there, is_hub_there): (bool, bool),
    report: &mut Report,
) -> Outcome {
    let functions = match are_functions_there {
        true => Some(of_functions(settings, token).await?),
        false => None,
    };
    let hub = if is_hub_there { Some(of_hub(settings, token).await?) } else { None };
    let source = &token.source;
    let differ = "functions and hub need the same key, issuer and audience: docs/configuration.md";
    match (functions, hub) {
        (None, None) => report.skipped(check, "neither functions nor hub answer"),
        (Some(Answered::Rejected(failure)), Some(Answered::Accepted)) => {
            let detail = format!("the hub accepts it, the functions do not: {failure} ({source})");
            report.wrong(check, detail, differ)
        }
        (Some(Answered::Accepted), Some(Answered::Rejected(failure))) => {
            let detail = format!("the functions accept it, the hub does not: {failure} ({source})");
            report.wrong(check, detail, differ)
        }
        (Some(Answered::Rejected(failure)), _) | (None, Some(Answered::Rejected(failure))) => {
            let fix = "it is signed with another key, or for another issuer or audience";
            report.wrong(check, format!("it is rejected: {failure} ({source})"), fix)
        }
        (Some(Answered::Unknown(failure)), _) | (_, Some(Answered::Unknown(failure))) => {
            report.failure(check, &failure, "")
        }
        (Some(_), Some(_)) => report.ok(check, format!("functions and hub accept it ({source})")),
        (Some(_), None) => report.ok(check, format!("the functions accept it ({source})")),
        (None, Some(_)) => report.ok(check, format!("the hub accepts it ({source})")),
    }
}

/// A user's own feed needs no scope; another `sub`, such as a service's, gets a 403 or a 400, which
/// come after the check of the token.
async fn of_functions(settings: &Settings, token: &Token) -> Outcome<Answered> {
    let sub = token.sub().unwrap_or_else(|| SUB.to_owned());
    let api = Api::new(&settings.url, Some(token.clone()), settings.timeout)?;
    let path = join(["users", &sub, "preferences"]);
    Ok(judged(api.send(Call::get(path)).await.map(drop)))
}

/// A ticket needs nothing but a valid token; it is not used, and ends after 30 s.
async fn of_hub(settings: &Settings, token: &Token) -> Outcome<Answered> {
    let api = Api::new(&settings.hub_url, Some(token.clone()), settings.timeout)?;
    Ok(judged(api.send(Call::post("/ws/ticket").repeatable()).await.map(drop)))
}

fn judged(result: Outcome) -> Answered {
    match result {
        Ok(()) => Answered::Accepted,
        Err(failure) => match failure.code.as_deref() {
            Some("unauthorized" | "token_expired") => Answered::Rejected(failure),
            // The token is valid; what it asked for is not for its `sub`.
            Some("forbidden" | "invalid_id" | "invalid_path" | "rate_limited") => {
                Answered::Accepted
            }
            // Tickets are in Redis, and the token is looked at first.
            Some("redis_unavailable" | "record_unavailable") => Answered::Accepted,
            _ if failure.kind == Kind::Unauthorized => Answered::Rejected(failure),
            _ => Answered::Unknown(failure),
        },
    }
}
