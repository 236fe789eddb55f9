//! What to do about a failure that functions or hub name.

use super::look::Server;
use crate::failure::{Failure, Kind};

/// The next step. It never is `bellwire doctor`, which is running.
pub fn of(failure: &Failure) -> &'static str {
    match failure.code.as_deref() {
        Some("auth_not_configured") => "give functions and hub the same key: docs/configuration.md",
        Some("redis_unavailable") => {
            "does `redis-cli ping` answer PONG? If not, look at the Redis server; else at the address \
             that functions (redis_url, redis_host) and hub (--redis-url) have; docs/operations.md, \
             \"When Redis fails\""
        }
        Some("record_unavailable") => {
            "look at the database, and at the variables record, postgres_url and postgres_host; \
             docs/operations.md, \"When the database fails\""
        }
        None if failure.kind == Kind::Unreachable => {
            "look at the log of that process and at the load of its machine; --timeout waits longer"
        }
        code if code.is_none() || failure.kind == Kind::NotFound => {
            "is this the right server? Compare --url and --hub-url (BELLWIRE_URL, BELLWIRE_HUB_URL)"
        }
        _ => "docs/operations.md, \"Health and readiness\"",
    }
}

/// What to do about a server that is not there, or is another one.
pub fn of_absent(failure: &Failure, server: Server) -> &'static str {
    match (server, failure.kind) {
        _ if failure.code.is_some() => of(failure),
        (Server::Functions, Kind::Unreachable) => "start them, or correct --url or BELLWIRE_URL",
        (Server::Functions, _) => "correct --url or BELLWIRE_URL",
        (Server::Hub, Kind::Unreachable) => "start it, or correct --hub-url or BELLWIRE_HUB_URL",
        (Server::Hub, _) => "correct --hub-url or BELLWIRE_HUB_URL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_next_step_leads_back_to_the_doctor() {
        let codes = shared::Code::ALL.map(|code| Some(code.as_str().to_owned()));
        for code in codes.into_iter().chain([None]) {
            let fix = of(&Failure { code, ..Failure::unreachable("x") });
            assert!(!fix.is_empty() && !fix.contains("doctor"), "{fix}");
        }
    }

    #[test]
    fn another_server_is_a_matter_of_the_urls() {
        let other = Failure::new(Kind::Unauthorized, "answered with 401");
        let unknown =
            Failure { code: Some("not_found".to_owned()), ..Failure::new(Kind::NotFound, "x") };
        for failure in [&other, &unknown] {
            assert!(of(failure).contains("Compare --url and --hub-url"), "{}", of(failure));
        }
        assert!(of(&Failure::unreachable("late")).contains("the log of that process"));
        assert!(of_absent(&other, Server::Hub).starts_with("correct --hub-url"));
        let away = Failure::unreachable("away");
        assert!(of_absent(&away, Server::Functions).starts_with("start them"));
    }
}
