//! How much of Redis a batch for many users takes at the same time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use runtime::feed::delivery::deliver_many;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use shared::UserId;
use shared::limits::BATCH_NOTIFICATIONS_MAX;
use shared::script::Script;
use support::RedisServer;

use super::crowd::{Member, Server};
use super::sql::commit;

const NOW_MS: i64 = 1_800_000_000_000;

/// So slow that calls overlap which may.
const LATENCY: Duration = Duration::from_millis(50);

/// Calls of one script.
#[derive(Clone, Copy, Default)]
struct Calls {
    under_way: usize,
    /// At the same time.
    most: usize,
    all: usize,
}

/// A slow Redis that counts the calls of each script.
struct Counting<'a, R> {
    redis: &'a R,
    scripts: RefCell<BTreeMap<&'static str, Calls>>,
}

impl<R: Redis> Redis for Counting<'_, R> {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        let count = |change: fn(&mut Calls)| {
            change(self.scripts.borrow_mut().entry(script.name).or_default());
        };
        count(|calls| {
            calls.all += 1;
            calls.under_way += 1;
            calls.most = calls.most.max(calls.under_way);
        });
        tokio::time::sleep(LATENCY).await;
        let reply = self.redis.eval(script, keys, args).await;
        count(|calls| calls.under_way -= 1);
        reply
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        self.redis.command(name, args).await
    }
}

/// An instance has room for a thousand tasks, and a repair holds a connection to the record.
#[tokio::test]
async fn the_largest_batch_takes_a_bounded_part_of_redis() {
    let (redis, server) = (RedisServer::start().await, Server::sqlite());
    let member = Member::join(&server, &redis, 0, 0).await;
    member.record.migrate().await.unwrap();
    let user = |at: usize| UserId::parse(&format!("user-{at}")).unwrap();
    let users: Vec<UserId> = (0..BATCH_NOTIFICATIONS_MAX).map(user).collect();

    // The first entries need a shared call only. The second ones find cold feeds.
    for repaired in [0, users.len()] {
        let (epoch, entries) = commit(&member.record, &users, NOW_MS).await;
        redis.run::<()>("FLUSHALL").await;
        let counting = Counting { redis: &member.redis, scripts: RefCell::default() };
        let delivered = deliver_many(&counting, &member.record, &entries, &epoch, None).await;
        assert!(delivered.len() == users.len() && delivered.iter().all(Result::is_ok));
        let scripts = counting.scripts.into_inner();
        let calls = |name: &str| scripts.get(name).copied().unwrap_or_default();
        let (shared, alone) = (calls("feed_push_many"), calls("feed_push"));
        assert_eq!((shared.all, alone.all), (users.len().div_ceil(16), repaired));
        assert_eq!(shared.all + alone.all, scripts.values().map(|calls| calls.all).sum::<usize>());
        assert!((2..=4).contains(&shared.most), "{}", shared.most);
        assert!(alone.most <= 32 && (alone.most > 1) == (repaired > 0), "{}", alone.most);
    }
}
