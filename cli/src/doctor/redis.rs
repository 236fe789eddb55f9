//! Redis itself: its version and settings, on every master; [`servers`] connects to them.

mod servers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use native::redis::RedisTarget;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, cmd};
use tokio::time::{timeout, timeout_at};

use super::look::Look;
use super::part::Part;
use super::report::Findings;

use servers::Master;

/// Connections that one host of functions may open: docs/operations.md, "Sizing".
const CONNECTIONS_PER_HOST: u64 = 500;
/// A hub that reads nothing for a moment must not be cut off: it reads a backlog of up to 32 MiB.
const PUBSUB_BYTES_MIN: u64 = 32 * 1024 * 1024;
/// A round trip that is slow enough to be felt: each call makes at least one.
const SLOW: Duration = Duration::from_millis(20);

type Values = BTreeMap<String, String>;

pub async fn check(url: &str, look: &Look<'_>) -> Findings {
    let (mut findings, limit) = (Findings::default(), look.short_limit());
    let target = match RedisTarget::parse(url) {
        Ok(target) => target,
        Err(error) => {
            findings.wrong("Redis", format!("the URL {error}"), FIX);
            return findings;
        }
    };
    let problem = match timeout(limit, servers::masters(&target, limit)).await {
        Ok(Ok(masters)) => return all(masters, look).await,
        Ok(Err(detail)) => format!("{target}: {detail}"),
        Err(_) => format!("{target} does not answer within {} s", limit.as_secs_f64()),
    };
    findings.broken(Part::Redis, "Redis", problem, FIX);
    findings
}

/// Looks at all servers at the same time. Each master of a cluster that does not work is a failure of
/// its own.
async fn all(masters: Vec<Master>, look: &Look<'_>) -> Findings {
    let many = masters.len() > 1;
    let looks = masters.into_iter().map(|Master { server, connection }| async move {
        let name = if many { format!("Redis {server}") } else { "Redis".to_owned() };
        let mut findings = Findings::default();
        if let Err(problem) = one(&name, connection, look, &mut findings).await {
            match many {
                true => findings.wrong(&name, problem, FIX),
                false => findings.broken(Part::Redis, &name, problem, FIX),
            }
        }
        findings
    });
    join_all(looks).await.into_iter().fold(Findings::default(), Findings::and)
}

async fn one(
    name: &str,
    connection: Result<MultiplexedConnection, String>,
    look: &Look<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    let looking = look_at(name, connection?, findings);
    timeout_at(look.deadline, looking).await.unwrap_or_else(|_| Err(LATE.to_owned()))
}

const LATE: &str = "it does not answer in time";

const FIX: &str = "correct --redis-url or BELLWIRE_REDIS_URL, or look at the Redis server: \
                   `redis-cli ping` must answer PONG";

/// # Errors
/// It does not answer at all.
async fn look_at(
    name: &str,
    mut connection: MultiplexedConnection,
    findings: &mut Findings,
) -> Result<(), String> {
    let begun = Instant::now();
    let pong: RedisResult<String> = cmd("PING").query_async(&mut connection).await;
    pong.map_err(|error| short(&error))?;
    let took = begun.elapsed();
    let info: RedisResult<String> = cmd("INFO").query_async(&mut connection).await;
    match info {
        Ok(info) => judge_info(name, &values(&info), took, findings),
        Err(error) => findings.skipped(&format!("{name} version"), short(&error)),
    }
    for setting in ["maxmemory-policy", "client-output-buffer-limit", "maxclients"] {
        let pair: RedisResult<Vec<String>> =
            cmd("CONFIG").arg("GET").arg(setting).query_async(&mut connection).await;
        match pair.as_deref() {
            Ok([_, value]) => judge_setting(name, setting, value, findings),
            Ok(_) => findings.skipped(&format!("{name} {setting}"), "this Redis does not tell it"),
            // Managed ones refuse CONFIG.
            Err(error) => findings.skipped(&format!("{name} {setting}"), short(error)),
        }
    }
    Ok(())
}

fn values(info: &str) -> Values {
    let pairs = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn judge_info(name: &str, info: &Values, took: Duration, findings: &mut Findings) {
    let text = |name: &str| info.get(name).map(String::as_str).unwrap_or_default();
    let version = text("redis_version");
    let detail = format!("version {version}, answers in {:.1} ms", took.as_secs_f64() * 1000.0);
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 7) {
        return findings.wrong(name, detail, "Bellwire needs Redis 7.0 or Valkey");
    }
    match took > SLOW {
        true => findings.warning(name, detail, "it is far away or busy: every call waits for it"),
        false => findings.ok(name, detail),
    }
    if text("role") == "slave" {
        findings.wrong(
            &format!("{name} role"),
            "it is a replica",
            "functions and hub need the master",
        );
    }
    if text("rdb_last_bgsave_status") == "err" || text("aof_last_write_status") == "err" {
        let fix = "Redis cannot save its data and refuses writes (MISCONF): look at its disk";
        findings.wrong(&format!("{name} disk"), "the last save failed", fix);
    }
    if text("aof_enabled") == "0" {
        let fix = "campaigns and queues are in Redis alone: `appendonly yes` keeps them through a \
                   restart";
        findings.warning(&format!("{name} persistence"), "no append-only file", fix);
    }
}

fn judge_setting(name: &str, setting: &str, value: &str, findings: &mut Findings) {
    let check = format!("{name} {setting}");
    match setting {
        "maxmemory-policy" if value != "noeviction" => {
            let fix = "campaigns and queues are in Redis alone, and a full Redis may drop them: \
                       noeviction";
            findings.warning(&check, value, fix);
        }
        "client-output-buffer-limit" => match pubsub_limit(value) {
            Some((hard, _, _)) if (1..PUBSUB_BYTES_MIN).contains(&hard) => {
                let detail = format!("pubsub clients are cut off at {hard} bytes");
                let fix = "a hub that is behind for a moment is disconnected and must catch up from \
                           the feeds: pubsub 64mb 32mb 60, or more";
                findings.warning(&check, detail, fix);
            }
            Some((hard, soft, seconds)) => {
                findings.ok(&check, format!("pubsub {hard} {soft} {seconds}"));
            }
            None => findings.skipped(&check, "without a limit for pubsub"),
        },
        "maxclients" if value.parse::<u64>().is_ok_and(|most| most <= CONNECTIONS_PER_HOST) => {
            let fix =
                "a host of functions may open 500 connections: docs/operations.md, \"Sizing\"";
            findings.warning(&check, value, fix);
        }
        _ => findings.ok(&check, value),
    }
}

/// Hard limit, soft limit and seconds for pubsub clients; 0 means none.
fn pubsub_limit(value: &str) -> Option<(u64, u64, u64)> {
    let mut words = value.split(' ').skip_while(|word| *word != "pubsub").skip(1);
    let mut next = || words.next()?.parse().ok();
    Some((next()?, next()?, next()?))
}

/// An error without the URL.
fn short(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        _ if error.is_timeout() => LATE.to_owned(),
        _ if error.kind() == ErrorKind::Parse => "it does not speak Redis's protocol".to_owned(),
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_the_server_does() {
        let late = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert_eq!(short(&late), "it does not answer in time");
        let odd = RedisError::from((ErrorKind::Parse, "unexpected `H`"));
        assert_eq!(short(&odd), "it does not speak Redis's protocol");
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(short(&refused), "connection refused");
    }

    #[test]
    fn the_limit_of_pubsub_clients_is_read() {
        let value = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(pubsub_limit(value), Some((33_554_432, 8_388_608, 60)));
        assert_eq!(pubsub_limit("normal 0 0 0"), None);
    }
}
