//! Checks the permissions of the components' Redis user, and that Redis has the users' own channels if
//! they are configured. If one is missing, single calls fail while `PING` succeeds.

use runtime::ports::redis::{Arg, Node, Redis, RedisError, Reply};
use runtime::{App, Error, log};
use shared::live::Live;
use shared::{Code, permissions, script};

/// A shard channel without listeners: no user's id is empty.
const NO_CHANNEL: &str = "bw:live:{notifications:}";

/// Denied commands that are named; a user without any permission lacks all of them.
const NAMED_MAX: usize = 12;

/// Takes one call of about 10 µs on each server, which accesses no key, and with own channels a
/// message to no one. Every server of a cluster has users of its own.
///
/// # Errors
/// `not_ready`, naming the denied commands; `redis_unavailable`.
pub async fn check(app: &App, nodes: &[Node]) -> Result<(), Error> {
    for node in nodes {
        granted(app, node).await?;
    }
    if app.config.live.uses_own_channels() { has_own_channels(app).await } else { Ok(()) }
}

/// A Redis before version 7 has no shard channels: every create would stay pending.
async fn has_own_channels(app: &App) -> Result<(), Error> {
    let message = [Arg::Text(NO_CHANNEL), Arg::Text("")];
    let error = match app.redis.command("SPUBLISH", &message).await {
        Ok(_) => return Ok(()),
        Err(RedisError::Refused(text)) => text,
        Err(error) => return Err(error.into()),
    };
    log::warn("redis_without_own_channels", &[("error", &error)]);
    Err(Error::new(Code::NotReady, no_own_channels(app.config.live, &error)))
}

fn no_own_channels(live: Live, error: &str) -> String {
    let live = live.as_str();
    let problem = if error.to_ascii_lowercase().contains("unknown command") {
        "this Redis has no SPUBLISH, which came with Redis 7"
    } else {
        "Redis refuses SPUBLISH"
    };
    format!("live = {live}: {problem}; nothing can be published")
}

async fn granted(app: &App, node: &Node) -> Result<(), Error> {
    let needed = permissions::functions(app.config.live, app.redis.is_cluster());
    let args = [Arg::Text(&needed)];
    let refused = match app.redis.eval_on(node, &script::PERMISSIONS, &args).await {
        Ok(reply) => reply.iter().filter_map(Reply::text).map(str::to_owned).collect(),
        Err(RedisError::Refused(_)) => vec!["EVALSHA or EVAL".to_owned()],
        Err(error) => return Err(error.into()),
    };
    if refused.is_empty() {
        return Ok(());
    }
    let mut detail = detail(&refused);
    if let Some(server) = node {
        detail.push_str(&format!(" (at {server})"));
    }
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
    fn a_redis_without_shard_channels_is_named() {
        let text =
            "An error was signalled by the server - ResponseError: unknown command 'SPUBLISH'";
        let expected = "live = own: this Redis has no SPUBLISH, which came with Redis 7; nothing can \
                        be published";
        assert_eq!(no_own_channels(Live::Own, text), expected);
        assert!(no_own_channels(Live::Bridge, "NOPERM").contains("refuses SPUBLISH"));
    }

    #[test]
    fn a_detail_stays_short() {
        let refused: Vec<String> = (0..14).map(|at| format!("GET on {at}")).collect();
        assert_eq!(detail(&refused[..1]), "the Redis user lacks permissions: GET on 0");
        assert!(detail(&refused).ends_with("GET on 11, and 2 more"));
    }
}
