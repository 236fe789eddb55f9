//! `GET /console/fleet`: the hubs that are alive and the number of online users, from Redis. Read
//! at most once a second, whatever the number of viewers.

use std::time::Duration;

use redis::RedisResult;
use serde_json::{Value, json};
use shared::{Code, Error, keys};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::console::Console;

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
        let me = self.presence.id();
        // A hub whose presence lease ran out is dead, and not reaped yet.
        let hubs = leases.into_iter().filter(|(_, until_ms)| *until_ms > now_ms);
        let hubs: Vec<Value> = hubs.map(|(id, _)| json!({ "self": id == me, "id": id })).collect();
        Ok(json!({ "hubs": hubs, "onlineUsers": online }))
    }
}

fn unavailable() -> Error {
    Error::new(Code::RedisUnavailable, "Redis does not tell which hubs are alive")
}
