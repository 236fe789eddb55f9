//! `GET /console/fleet`: the hubs that are alive and the number of online users, from Redis. Read
//! at most once a second, whatever the number of viewers.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::RedisResult;
use serde_json::{Value, json};
use shared::{Code, Error, keys};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::console::Console;
use crate::presence::hub_of;

/// Time for which an answer is given again.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Hubs listed: as many as a script of presence looks at.
const HUBS_MAX: isize = 1000;

/// The time in seconds and microseconds; ids with the ends of their presence leases, ms; online
/// users.
type Answer = ((u64, u64), Vec<(String, f64)>, u64);

/// The last answer, `None` if Redis gave none. An async lock, held while Redis is asked: concurrent
/// viewers wait for the one answer.
#[derive(Default)]
pub(super) struct Fleet(Mutex<Option<(Instant, Option<Value>)>>);

impl Console {
    /// # Errors
    /// `redis_unavailable`, within the deadlines of the connection for commands.
    pub(super) async fn fleet(&self) -> Result<Value, Error> {
        let mut last = self.fleet.0.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < FRESH_FOR
        {
            return answer.clone().ok_or_else(unavailable);
        }
        let answer = self.read_fleet().await;
        let answer = answer.inspect_err(|error| tracing::debug!(%error, "cannot read the fleet"));
        let answer = answer.ok();
        // Also a failure: those who waited for it would each wait for the next one.
        *last = Some((Instant::now(), answer.clone()));
        answer.ok_or_else(unavailable)
    }

    async fn read_fleet(&self) -> RedisResult<Value> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("TIME");
        pipeline.cmd("ZRANGE").arg(keys::PRESENCE_LEASES).arg(0).arg(HUBS_MAX - 1);
        pipeline.arg("WITHSCORES").cmd("SCARD").arg(keys::ONLINE_USERS);
        let ((now_s, now_us), leases, online): Answer = self.redis.query(&pipeline).await?;
        let now_ms = (now_s * 1000 + now_us / 1000) as f64;
        let hubs = alive(&leases, now_ms, self.presence.hub_id());
        Ok(json!({ "hubs": hubs, "onlineUsers": online }))
    }
}

fn unavailable() -> Error {
    Error::new(Code::RedisUnavailable, "Redis does not tell which hubs are alive")
}

/// The hubs with a lease, each once: leases of former incarnations remain until they run out. A hub
/// without one is dead, and not reaped yet.
fn alive(leases: &[(String, f64)], now_ms: f64, me: &str) -> Vec<Value> {
    let ids = leases.iter().filter(|(_, until_ms)| *until_ms > now_ms).map(|(id, _)| hub_of(id));
    let ids: BTreeSet<&str> = ids.collect();
    ids.into_iter().map(|id| json!({ "self": id == me, "id": id })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_are_one_hub_and_the_dead_are_left_out() {
        let leases = [
            ("aaaaaaaaaaaaaaaa01", 1.0),
            ("bbbbbbbbbbbbbbbb01", 9.0),
            ("bbbbbbbbbbbbbbbb02", 9.0),
            ("c", 9.0),
        ];
        let leases = leases.map(|(id, until_ms)| (id.to_owned(), until_ms));
        let expected =
            [json!({"self": true, "id": "bbbbbbbbbbbbbbbb"}), json!({"self": false, "id": "c"})];
        assert_eq!(alive(&leases, 5.0, "bbbbbbbbbbbbbbbb"), expected);
    }
}
