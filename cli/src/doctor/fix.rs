//! What to do about a failure that functions or hub name.

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
            "look at its log and at the load of its machine; --timeout waits longer"
        }
        _ => "docs/operations.md, \"Health and readiness\"",
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
}
