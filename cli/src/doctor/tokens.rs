//! Whether functions and hub accept the token, and one that is made with the key: whether their keys
//! agree.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tokio::try_join;

use super::look::{Look, Server, get};
use super::part::Part;
use super::report::Findings;
use super::{There, fix};
use crate::api::{Answer, Call, Repeat, join};
use crate::failure::{Failure, Kind, Outcome};
use crate::secrets::{KeySource, NOT_A_JWT, NewToken, Token};

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
    look: &Look<'_>,
    token: &Outcome<Token>,
    key: &KeySource,
    there: There,
) -> Outcome<Findings> {
    let (token, key) = try_join!(of_token(look, token, there), of_key(look, key, there))?;
    Ok(token.and(key))
}

async fn of_token(look: &Look<'_>, token: &Outcome<Token>, there: There) -> Outcome<Findings> {
    let mut findings = Findings::default();
    match token {
        Ok(token) if is_usable(token, &mut findings) => {
            compare(look, "token", token, there, &mut findings).await?;
        }
        Ok(_) => {}
        Err(failure) => {
            let fix = failure.hint.as_deref().unwrap_or_default();
            findings.warning("token", failure.detail.as_str(), fix);
        }
    }
    Ok(findings)
}

async fn of_key(look: &Look<'_>, key: &KeySource, there: There) -> Outcome<Findings> {
    let mut findings = Findings::default();
    if !key.is_there() {
        findings.skipped("key", "--key-file or BELLWIRE_KEY_FILE compares it with theirs");
        return Ok(findings);
    }
    match key.mint(&NewToken { sub: SUB, ttl: TTL, ..NewToken::default() }) {
        Ok(token) => compare(look, "key", &token, there, &mut findings).await?,
        Err(failure) => {
            let fix = failure.hint.as_deref().unwrap_or_default();
            findings.wrong("key", failure.detail.as_str(), fix);
        }
    }
    Ok(findings)
}

/// Whether it is a JWT that has not expired.
fn is_usable(token: &Token, findings: &mut Findings) -> bool {
    let fix = "get a new one; `bellwire token` makes one for development";
    let Some(claims) = token.claims() else {
        findings.wrong("token", format!("{NOT_A_JWT}: {}", token.source), fix);
        return false;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    match claims["exp"].as_f64() {
        Some(exp) if exp <= now => {
            let detail = format!("it expired {:.0} s ago ({})", now - exp, token.source);
            findings.wrong("token", detail, fix);
            false
        }
        _ => true,
    }
}

async fn compare(
    look: &Look<'_>,
    check: &str,
    token: &Token,
    there: There,
    findings: &mut Findings,
) -> Outcome {
    let (functions, hub) = try_join!(of_functions(look, token, there), of_hub(look, token, there))?;
    judge(check, &token.source, (functions, hub), findings);
    Ok(())
}

/// What the answers of functions and hub mean together; `None` is for one that is not there.
fn judge(
    check: &str,
    source: &str,
    answers: (Option<Answered>, Option<Answered>),
    findings: &mut Findings,
) {
    let differ = "functions and hub need the same key, issuer and audience: docs/configuration.md";
    match answers {
        (None, None) => findings.skipped(check, "there are neither functions nor a hub to ask"),
        (Some(Answered::Rejected(failure)), Some(Answered::Accepted)) => {
            let detail = format!("the hub accepts it, the functions do not: {failure} ({source})");
            findings.wrong(check, detail, differ);
        }
        (Some(Answered::Accepted), Some(Answered::Rejected(failure))) => {
            let detail = format!("the functions accept it, the hub does not: {failure} ({source})");
            findings.wrong(check, detail, differ);
        }
        // Whatever is wrong with the other one.
        (Some(Answered::Rejected(failure)), _) | (_, Some(Answered::Rejected(failure))) => {
            let fix = "it is signed with another key, or for another issuer or audience";
            findings.wrong(check, format!("it is rejected: {failure} ({source})"), fix);
        }
        (Some(Answered::Unknown(failure)), _) => {
            findings.unchecked(Part::Functions, check, &failure, fix::of(&failure));
        }
        (_, Some(Answered::Unknown(failure))) => {
            findings.unchecked(Part::Hub, check, &failure, fix::of(&failure));
        }
        (Some(_), Some(_)) => findings.ok(check, format!("functions and hub accept it ({source})")),
        (Some(_), None) => findings.ok(check, format!("the functions accept it ({source})")),
        (None, Some(_)) => findings.ok(check, format!("the hub accepts it ({source})")),
    }
}

/// A user's own feed needs no scope; another `sub`, such as a service's, gets a 403 or a 400, which
/// come after the check of the token.
async fn of_functions(look: &Look<'_>, token: &Token, there: There) -> Outcome<Option<Answered>> {
    if !there.functions {
        return Ok(None);
    }
    let sub = token.sub().unwrap_or_else(|| SUB.to_owned());
    let api = look.api(Server::Functions, Some(token.clone()))?;
    let call = get(join(["users", &sub, "preferences"]));
    Ok(Some(judged(api.send(call).await.map(drop))))
}

/// A ticket needs nothing but a valid token; it is not used, and ends after 30 s.
async fn of_hub(look: &Look<'_>, token: &Token, there: There) -> Outcome<Option<Answered>> {
    if !there.hub {
        return Ok(None);
    }
    let api = look.api(Server::Hub, Some(token.clone()))?;
    let call = Call::post("/ws/ticket").repeat(Repeat::Never);
    let answer = api.send(call).await;
    Ok(Some(judged(answer.and_then(|answer| ticket(look, &answer)))))
}

/// The hub's answer; the ticket is not used.
#[derive(Deserialize)]
struct Ticket {
    #[serde(rename = "ticket")]
    _ticket: String,
}

fn ticket(look: &Look<'_>, answer: &Answer) -> Outcome {
    let ticket = answer.json::<Ticket>();
    ticket.map(drop).map_err(|_| look.another_server(Server::Hub))
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
            // Without a code it is not from Bellwire, which alone knows the token.
            Some(_) if failure.kind == Kind::Unauthorized => Answered::Rejected(failure),
            _ => Answered::Unknown(failure),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::TokenSource;

    #[test]
    fn nonsense_is_named_as_no_jwt() {
        let usable = |text: &str| {
            let token = TokenSource::Variable(text.to_owned(), "BELLWIRE_TOKEN".to_owned());
            let mut findings = Findings::default();
            let is_usable = is_usable(&token.read().unwrap(), &mut findings);
            (is_usable, format!("{findings:?}"))
        };
        for text in ["nonsense", "a.b.c", "Bearer-x"] {
            let (is_usable, found) = usable(text);
            assert!(!is_usable && found.contains("not a JWT"), "{found}");
            assert!(found.contains("BELLWIRE_TOKEN") && !found.contains(text), "{found}");
        }
        // The payload `{}`: it never expires.
        assert!(usable("x.e30.x").0);
    }

    fn rejected() -> Failure {
        let failure = Failure::new(Kind::Unauthorized, "another key");
        Failure { code: Some("unauthorized".to_owned()), ..failure }
    }

    /// `a` accepts, `r` rejects, `u` is unknown, `-` is not there.
    fn answered(letter: char, who: &str) -> Option<Answered> {
        match letter {
            'a' => Some(Answered::Accepted),
            'r' => Some(Answered::Rejected(rejected())),
            'u' => Some(Answered::Unknown(Failure::unreachable(format!("{who} is late")))),
            _ => None,
        }
    }

    #[test]
    fn a_rejection_is_never_hidden_by_the_other_s_silence() {
        let mut told = Vec::new();
        for functions in "-aru".chars() {
            for hub in "-aru".chars() {
                let answers = (answered(functions, "functions"), answered(hub, "hub"));
                let mut findings = Findings::default();
                judge("token", "BELLWIRE_TOKEN", answers, &mut findings);
                told.push((format!("{functions}{hub}"), format!("{findings:?}")));
            }
        }
        let rejected = ["Wrong", "it is rejected: another key"];
        let (functions_late, hub_late) = (["Wrong", "functions is late"], ["Wrong", "hub is late"]);
        let expected = [
            ("--", ["Skipped", "neither"]),
            ("-a", ["Ok", "the hub accepts it"]),
            ("-r", rejected),
            ("-u", hub_late),
            ("a-", ["Ok", "the functions accept it"]),
            ("aa", ["Ok", "functions and hub accept it"]),
            ("ar", ["Wrong", "the functions accept it, the hub does not"]),
            ("au", hub_late),
            ("r-", rejected),
            ("ra", ["Wrong", "the hub accepts it, the functions do not"]),
            ("rr", rejected),
            ("ru", rejected),
            ("u-", functions_late),
            ("ua", functions_late),
            ("ur", rejected),
            ("uu", functions_late),
        ];
        assert_eq!(told.len(), expected.len());
        for ((pair, found), (expected_pair, words)) in told.iter().zip(expected) {
            assert_eq!(pair, expected_pair);
            assert!(words.iter().all(|word| found.contains(word)), "{pair}: {found}");
        }
    }

    #[test]
    fn only_bellwire_rejects_a_token() {
        assert!(matches!(judged(Err(rejected())), Answered::Rejected(_)));
        let proxy = Failure::new(Kind::Unauthorized, "answered with 401");
        assert!(matches!(judged(Err(proxy)), Answered::Unknown(_)));
    }
}
