//! Checks the permissions of the components' Redis user. If one is missing, single calls fail while
//! `PING` succeeds.

use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::{App, Error, log};
use shared::{Code, permissions, script};

/// Denied commands that are named; a user without any permission lacks all of them.
const NAMED_MAX: usize = 12;

/// Takes one call of about 10 µs, which accesses no key.
///
/// # Errors
/// `not_ready`, naming the denied commands; `redis_unavailable`.
pub async fn check(app: &App) -> Result<(), Error> {
    let args = [Arg::Text(permissions::FUNCTIONS)];
    let refused = match app.redis.eval(&script::PERMISSIONS, &[], &args).await {
        Ok(reply) => reply.iter().filter_map(Reply::text).map(str::to_owned).collect(),
        Err(RedisError::Refused(_)) => vec!["EVALSHA or EVAL".to_owned()],
        Err(error) => return Err(error.into()),
    };
    if refused.is_empty() {
        return Ok(());
    }
    let detail = detail(&refused);
    log::warn("redis_permissions_missing", &[("detail", &detail)]);
    Err(Error::new(Code::NotReady, detail))
}

fn detail(refused: &[String]) -> String {
    let named = refused.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match refused.len().saturating_sub(NAMED_MAX) {
        0 => format!("the Redis user lacks permissions: {named}"),
        more => format!("the Redis user lacks permissions: {named}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_stays_short() {
        let refused: Vec<String> = (0..14).map(|at| format!("GET on {at}")).collect();
        assert_eq!(detail(&refused[..1]), "the Redis user lacks permissions: GET on 0");
        assert!(detail(&refused).ends_with("GET on 11, and 2 more"));
    }
}
