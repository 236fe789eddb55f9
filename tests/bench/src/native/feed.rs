//! The peer's access to the feed: the functions' script over one multiplexed connection.

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value};
use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::{Delivery, Notification};
use shared::{keys, script};

pub(super) struct Feed {
    connection: MultiplexedConnection,
}

impl Feed {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let client = redis::Client::open(url)?;
        Ok(Self { connection: client.get_multiplexed_async_connection().await? })
    }

    /// `feed_push.lua` explains the arguments. A user's first entry is the whole record, so it is
    /// loaded, as by the functions.
    pub(super) async fn push(&self, new: &Notification, json: &str, epoch: &str) -> Delivery {
        let is_first = new.seq == 1;
        let fill = |command: &mut Cmd| {
            let user = &new.draft.user_id;
            command.arg(2).arg(keys::feed(user)).arg(keys::feed_companion(user));
            command.arg(if is_first { "load" } else { "push" }).arg(epoch);
            command.arg(if is_first { 0 } else { new.seq - 1 }).arg(0);
            command.arg(FEED_ENTRIES_MAX).arg(FEED_TTL_S);
            command.arg(if is_first { new.seq } else { 0 }).arg(0).arg("");
            command.arg(keys::NOTIFICATIONS_CHANNEL);
            command.arg(new.seq).arg(json).arg(new.draft.expires_at_ms.map_or(0, |ms| ms.max(1)));
        };
        match self.eval(fill).await {
            Ok((word, head)) if word == "ok" && head >= new.seq => Delivery::Sent,
            other => {
                eprintln!("not delivered: {other:?}");
                Delivery::Pending
            }
        }
    }

    async fn eval(&self, fill: impl Fn(&mut Cmd)) -> RedisResult<(String, i64)> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("EVALSHA");
        command.arg(script::FEED_PUSH.sha1());
        fill(&mut command);
        let outcome: RedisResult<Value> = command.query_async(&mut connection).await;
        let value = match outcome {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut command = redis::cmd("EVAL");
                command.arg(script::FEED_PUSH.source);
                fill(&mut command);
                command.query_async(&mut connection).await?
            }
            other => other?,
        };
        Ok(redis::from_redis_value(value)?)
    }
}
