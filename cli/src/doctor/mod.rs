//! `bellwire doctor`: looks at everything that can be seen from here, and says what is wrong and
//! what to do. It changes nothing but that pending notifications are sent (`POST /admin/relay`).

mod clocks;
mod contract;
mod functions;
mod hub;
mod postgres;
mod redis;
mod report;
mod tokens;

use std::process::ExitCode;

use crate::api::Api;
use crate::args::Doctor;
use crate::commands::Context;
use crate::failure::{Failure, Kind, Outcome};

use report::Report;

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
    let mut report = Report::new(context.output);
    let settings = &context.settings;
    let open = |token| Api::new(&settings.url, token, settings.timeout);
    let are_there = functions::check(&open(None)?, &settings.url, &mut report).await?;
    if are_there {
        contract::check(&open(None)?, &mut report).await?;
    }
    let hub = Api::new(&settings.hub_url, None, settings.timeout)?;
    let is_hub_there = hub::check(&hub, &settings.hub_url, &mut report).await?;
    tokens::check(settings, are_there, is_hub_there, &mut report).await?;
    if are_there && let Ok(token) = settings.token.read() {
        functions::look_deeper(&open(Some(token))?, &mut report).await?;
    }
    if let Some(url) = &stores.redis {
        redis::check(url, settings.timeout, &mut report).await?;
    } else {
        report
            .skipped("Redis", "only its figures by the API; --redis-url looks at its settings")?;
    }
    if let Some(url) = &stores.postgres {
        postgres::check(url, args.hosts, settings.timeout, &mut report).await?;
    } else {
        report.skipped("Postgres", "not looked at; --postgres-url does")?;
    }
    report.finish()
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
