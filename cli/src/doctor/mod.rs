//! `bellwire doctor`: looks at everything that can be seen from here, and says what is wrong and
//! what to do. It changes nothing but that pending notifications are sent (`POST /admin/relay`).
//!
//! First it asks functions and hub whether they are there, then everything else at the same time, each
//! once, and all within `--timeout`. So one part that hangs takes neither minutes nor the place of
//! other findings, and what fails from the same cause counts once ([`report`]).

mod clocks;
mod contract;
mod fix;
mod functions;
mod hub;
mod look;
mod part;
mod postgres;
mod redis;
mod report;
mod tokens;

use std::process::ExitCode;

use tokio::{join, try_join};

use crate::args::Doctor;
use crate::commands::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{DIM, note, paint};
use crate::secrets::Token;

use look::Look;
use report::{Findings, Report};

/// Whether a server answers, and what was found on the way.
pub struct Alive {
    is_there: bool,
    findings: Findings,
}

/// Which servers answer.
#[derive(Clone, Copy)]
pub struct There {
    functions: bool,
    hub: bool,
}

/// Runs all checks.
///
/// # Errors
/// The output cannot be written, or a URL with a password is on the command line. Whatever a check
/// finds is in the report, and in the exit code.
pub async fn run(
    context: &Context,
    args: &Doctor,
    env: &dyn Fn(&str) -> Option<String>,
) -> Outcome<ExitCode> {
    let stores = Stores::read(args, env)?;
    // Once: standard input gives it only once. Before the time begins: its writer may be slow.
    let token = context.settings.token.read();
    let look = Look::begin(&context.settings);
    if !context.output.json {
        let seconds = look.limit().as_secs();
        note(paint(DIM, format!("looking at everything, for {seconds} s at most")));
    }
    let (functions, hub) = try_join!(functions::alive(&look), hub::alive(&look))?;
    let there = There { functions: functions.is_there, hub: hub.is_there };
    let key = &context.settings.key;
    let (of_functions, of_hub, tokens, figures, stores) = try_join!(
        of_functions(&look, there),
        of_hub(&look, there),
        tokens::check(&look, &token, key, there),
        figures(&look, &token, there),
        async { Outcome::Ok(stores.look(&look, args.hosts).await) },
    )?;
    let mut report = Report::new(context.output);
    report.tell(functions.findings.and(of_functions))?;
    report.tell(hub.findings.and(of_hub))?;
    report.tell(tokens.and(figures).and(stores))?;
    report.finish()
}

async fn of_functions(look: &Look<'_>, there: There) -> Outcome<Findings> {
    if !there.functions {
        return Ok(Findings::default());
    }
    let (ready, contract) = try_join!(functions::ready(look), contract::check(look))?;
    Ok(ready.and(contract))
}

async fn of_hub(look: &Look<'_>, there: There) -> Outcome<Findings> {
    match there.hub {
        true => hub::ready(look).await,
        false => Ok(Findings::default()),
    }
}

async fn figures(look: &Look<'_>, token: &Outcome<Token>, there: There) -> Outcome<Findings> {
    match (token, there.functions) {
        (Ok(token), true) => functions::figures(look, token).await,
        _ => Ok(Findings::default()),
    }
}

/// The stores to look at directly.
struct Stores {
    redis: Option<String>,
    postgres: Option<String>,
}

impl Stores {
    fn read(args: &Doctor, env: &dyn Fn(&str) -> Option<String>) -> Outcome<Self> {
        let variable = |name: &str| env(name).filter(|url| !url.is_empty());
        for (flag, name, url) in [
            ("--redis-url", "BELLWIRE_REDIS_URL", &args.redis_url),
            ("--postgres-url", "BELLWIRE_POSTGRES_URL", &args.postgres_url),
        ] {
            if url.as_deref().is_some_and(has_password) {
                let text =
                    format!("{flag} has a password, which everyone on this machine can read");
                return Err(
                    Failure::new(Kind::Usage, text).hint(format!("put the URL into {name}"))
                );
            }
        }
        let redis = args.redis_url.clone().or_else(|| variable("BELLWIRE_REDIS_URL"));
        let postgres = args.postgres_url.clone().or_else(|| variable("BELLWIRE_POSTGRES_URL"));
        // The variable that `make up` sets.
        Ok(Self { redis: redis.or_else(|| variable("REDIS_URL")), postgres })
    }

    async fn look(&self, look: &Look<'_>, hosts: u32) -> Findings {
        let redis = async {
            match &self.redis {
                Some(url) => redis::check(url, look).await,
                None => {
                    let why = "only its figures by the API; --redis-url looks at its settings";
                    not_looked_at("Redis", why)
                }
            }
        };
        let postgres = async {
            match &self.postgres {
                Some(url) => postgres::check(url, hosts, look).await,
                None => not_looked_at("Postgres", "not looked at; --postgres-url does"),
            }
        };
        let (redis, postgres) = join!(redis, postgres);
        redis.and(postgres)
    }
}

fn not_looked_at(check: &str, why: &str) -> Findings {
    let mut findings = Findings::default();
    findings.skipped(check, why);
    findings
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let credentials = authority.rsplit_once('@').map(|(credentials, _)| credentials);
    credentials.is_some_and(|text| text.contains(':'))
        || url.contains("password=")
        || url.contains("pass=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_noticed_in_every_form() {
        for url in [
            "redis://:pw@h:1",
            "redis+cluster://u:p@h:1,i:2",
            "postgres://u:p@h/db",
            "host=h password=p",
            "unix:///x?pass=p",
        ] {
            assert!(has_password(url), "{url}");
        }
        for url in ["redis://127.0.0.1:6379", "postgres://user@h:5432/db", "host=h user=u"] {
            assert!(!has_password(url), "{url}");
        }
    }
}
