//! The permissions that a Redis user needs, for `permissions.lua`: lines of a key or channel and
//! its commands, or of a subcommand and `CLUSTER`. An example stands for all keys of a kind; `*` in it is an ordinary character.
//!
//! What a user needs depends on the installation: [`functions`], [`hub`] and [`push_worker`] add to
//! the lists of one Redis what a cluster and the users' own channels need.
//!
//! Not listed: keys of cached resources and queues, whose names depend on the installation, and
//! `SCAN`, which only `GET /keys` needs.

use crate::live::Live;
use crate::script::Script;

/// Permissions of the components on one Redis, with the channels that all hubs hear.
pub const FUNCTIONS: &str = "\
notifications:* LINDEX LLEN LRANGE LPOS LPUSH LREM LTRIM TTL EXPIRE DEL
bw:feed:{notifications:*} HGET HMGET HSET EXPIRE DEL
notifications PUBLISH
bw:events PUBLISH
bw:push PUBLISH
bw:push:tests LLEN LREM RPUSH EXPIRE
bw:push:test:* GET
user:*:token GET MGET SET TTL EXPIRE DEL
bw:token:{user:*:token} GET SET TTL EXPIRE
campaign:* LLEN LRANGE LPOP RPUSH TTL PEXPIRETIME EXPIRE DEL
bw:campaign:{campaign:*} HMGET HSET EXISTS TTL PEXPIRETIME EXPIRE DEL
bw:push:{campaign:*} HGET HMGET HSET HDEL HINCRBY EXPIRE DEL
bw:pushblocks:{campaign:*} ZCARD ZRANGE EXPIRE DEL
bw:pushblock:{campaign:*}:* LINDEX DEL
bw:pushretry:{campaign:*} ZADD ZCARD EXPIRE DEL
bw:pushdead:{campaign:*} LLEN LPOP EXPIRE DEL
bw:pushing ZADD ZREM ZCARD ZRANGE ZRANGEBYSCORE ZSCORE EXPIRE
bw:once:{*} SET EXISTS DEL
notification:responses LLEN LPOP RPUSH EXISTS EXPIRE
bw:queues ZADD ZREM ZCARD ZRANGE ZRANGEBYLEX EXPIRE
bw:touched:{bw:queues} ZADD ZREM ZCARD ZRANGE ZRANGEBYSCORE ZMSCORE EXPIRE
bw:queue:{*} HGET HSETNX HINCRBY EXISTS EXPIRE
bw:retry:{*} LLEN LRANGE LTRIM RPUSH EXISTS EXPIRE
bw:inflight:{*} ZADD ZREM ZCARD ZCOUNT ZMSCORE ZRANGEBYSCORE EXISTS EXPIRE
bw:delayed:{*} ZADD ZREM ZCARD ZCOUNT ZRANGEBYSCORE EXISTS EXPIRE
bw:dead:{*} ZADD ZREM ZCARD ZCOUNT ZRANGE ZRANK ZSCORE EXISTS EXPIRE
bw:since:{*} ZADD ZREM ZRANGE EXPIRE
bw:payloads:{*} HGET HSET HDEL EXPIRE
bw:states:{*} HGET HMGET HSET HDEL EXPIRE
bw:dedup:{*} SET TTL EXPIRE
bw:meta:{*} MGET SET EXISTS PEXPIREAT PEXPIRETIME DEL
bw:lease:{*} MGET SET EXISTS DEL
bw:tag:{*} MGET GET SET EXISTS PEXPIRE
bw:counts:{cache}:* HGET HGETALL HLEN HSET HINCRBY EXPIRE
online_users SISMEMBER SMISMEMBER SCARD SREM
- EVAL EVALSHA INFO TIME
";

/// A hub that hears the channels of all users.
const HUB_ALL: &str = "\
notifications SUBSCRIBE
bw:events SUBSCRIBE PUBLISH
";

/// A hub that hears the channels of its own users.
const HUB_OWN: &str = "\
bw:live:{notifications:*} SSUBSCRIBE SUNSUBSCRIBE
bw:probe:* SSUBSCRIBE SUNSUBSCRIBE SPUBLISH
";

/// In addition, a hub that forwards what existing services publish.
const HUB_BRIDGE: &str = "\
notifications SUBSCRIBE
bw:events SUBSCRIBE PUBLISH
bw:bridge GET PTTL SET DEL
bw:bridged:{notifications:*} GET SET
bw:live:{notifications:*} SPUBLISH
";

/// Every hub.
const HUB: &str = "\
notifications:* LINDEX LLEN LRANGE TTL
bw:feed:{notifications:*} HGET HMGET HSET
bw:ticket:* SET GETDEL
online_users SADD SREM SCARD PEXPIREAT PERSIST
bw:leases:{online_users} ZADD ZCARD ZRANGE ZRANGEBYSCORE ZREM ZSCORE EXPIRE
bw:revs:{online_users} HDEL HGET HLEN HSET EXPIRE
bw:hub:{online_users}:* SADD SCARD SMISMEMBER SPOP SREM SSCAN UNLINK EXPIRE
- EVAL EVALSHA MULTI EXEC TIME
";

/// Permissions of the push worker.
pub const PUSH_WORKER: &str = "\
bw:push SUBSCRIBE
bw:push:tests LPOP
bw:push:test:* SET
campaign:* LLEN LPOP RPUSH TTL EXPIRE
bw:campaign:{campaign:*} HMGET HSET TTL EXPIRE
bw:push:{campaign:*} HGET HMGET HSET HINCRBY EXPIRE
bw:pushblocks:{campaign:*} ZADD ZREM ZCARD ZRANGE ZRANGEBYSCORE EXPIRE
bw:pushblock:{campaign:*}:* LINDEX LRANGE LSET RPUSH EXPIRE DEL
bw:pushretry:{campaign:*} ZADD ZREM ZCARD ZRANGE ZRANGEBYSCORE EXPIRE
bw:pushdead:{campaign:*} LLEN RPUSH EXPIRE
bw:pushing ZADD ZREM ZCARD ZRANGE ZRANGEBYSCORE ZSCORE EXPIRE
bw:once:{*} SET
- EVAL EVALSHA TIME
";

/// What every program calls on a cluster: to learn the servers, and after a redirection.
const CLUSTER: &str = "\
SLOTS CLUSTER
- ASKING
";

/// In addition, native programs: which of two maps is the newer one.
const CLUSTER_EPOCH: &str = "INFO CLUSTER\n";

/// The keys that scripts look for on a cluster, to see whether their slot moves (`guard.lua`): they
/// never exist. On one Redis the scripts do without.
const FUNCTIONS_GUARD: &str = "\
bw:feed:{notifications:*}: EXISTS
bw:token:{user:*:token}: EXISTS
bw:campaign:{campaign:*}: EXISTS
bw:once:{campaign:*:responses}:*: EXISTS
bw:touched:{bw:queues}: EXISTS
bw:queue:{*}: EXISTS
bw:meta:{*}: EXISTS
";
const HUB_GUARD: &str = "bw:leases:{online_users}: EXISTS\n";
const BRIDGE_GUARD: &str = "bw:bridged:{notifications:*}: EXISTS\n";
const PUSH_WORKER_GUARD: &str = "\
bw:campaign:{campaign:*}: EXISTS
bw:once:{campaign:*:responses}:*: EXISTS
";

/// Permissions of the components.
pub fn functions(live: Live, is_cluster: bool) -> String {
    let publishes =
        if live.uses_own_channels() { "bw:live:{notifications:*} SPUBLISH\n" } else { "" };
    list(FUNCTIONS, publishes, &[CLUSTER, FUNCTIONS_GUARD], is_cluster)
}

/// Permissions of a hub, by the channels that it hears.
pub fn hub(live: Live, is_cluster: bool) -> String {
    let hears = match live {
        Live::All => HUB_ALL.to_owned(),
        Live::Own => HUB_OWN.to_owned(),
        Live::Bridge if is_cluster => [HUB_OWN, HUB_BRIDGE, BRIDGE_GUARD].concat(),
        Live::Bridge => [HUB_OWN, HUB_BRIDGE].concat(),
    };
    list(&hears, HUB, &[CLUSTER, CLUSTER_EPOCH, HUB_GUARD], is_cluster)
}

/// Permissions of the push worker.
pub fn push_worker(is_cluster: bool) -> String {
    list(PUSH_WORKER, "", &[CLUSTER, CLUSTER_EPOCH, PUSH_WORKER_GUARD], is_cluster)
}

/// Permissions of the program that calls a script, for tests: of the components, unless the script
/// is named here.
pub fn of_caller(script: &Script, is_cluster: bool) -> String {
    match script.name {
        "feed_unread" | "presence_release" | "presence_sync" => hub(Live::All, is_cluster),
        "bridge_forward" | "bridge_lease" => hub(Live::Bridge, is_cluster),
        "push_claim" | "push_respond" | "push_settle" | "push_touch" => push_worker(is_cluster),
        _ => functions(Live::Bridge, is_cluster),
    }
}

fn list(base: &str, live: &str, on_cluster: &[&str], is_cluster: bool) -> String {
    let mut lines = [base, live].concat();
    if is_cluster {
        lines.extend(on_cluster.iter().copied());
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::script::{ALL, PERMISSIONS};

    fn listed(lines: &str) -> BTreeSet<&str> {
        lines.lines().flat_map(|line| line.split(' ').skip(1)).collect()
    }

    /// The quoted words after each call.
    fn called(script: &Script) -> BTreeSet<&str> {
        let calls = ["redis.call('", "redis.pcall('", "call_many('"];
        let behind = calls.iter().flat_map(|call| script.source.split(call).skip(1));
        let mut names: BTreeSet<&str> = behind.filter_map(|text| text.split('\'').next()).collect();
        if script.name.starts_with("presence") {
            names.extend(["SCARD", "ZCARD", "HLEN"]);
        }
        names
    }

    #[test]
    fn one_redis_needs_neither_probes_nor_own_channels() {
        assert_eq!(functions(Live::All, false), FUNCTIONS);
        assert_eq!(hub(Live::All, false), [HUB_ALL, HUB].concat());
        assert_eq!(push_worker(false), PUSH_WORKER);
        assert!(functions(Live::Own, false).ends_with("bw:live:{notifications:*} SPUBLISH\n"));
    }

    #[test]
    fn every_command_of_a_script_is_listed() {
        for script in ALL.iter().filter(|script| script.name != PERMISSIONS.name) {
            let lines = of_caller(script, true);
            let missing: Vec<_> = called(script).difference(&listed(&lines)).copied().collect();
            assert!(!called(script).is_empty(), "{}", script.name);
            assert!(missing.is_empty(), "{}: {missing:?}", script.name);
        }
    }
}
