//! How much of Redis a batch for many users takes at the same time.

use std::cell::{Cell, RefCell};
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

/// A slow Redis that counts the calls of each script that are under way.
struct Counting<'a, R> {
    redis: &'a R,
    under_way: RefCell<BTreeMap<&'static str, usize>>,
    most: RefCell<BTreeMap<&'static str, usize>>,
    calls: Cell<usize>,
}

impl<'a, R: Redis> Counting<'a, R> {
    fn new(redis: &'a R) -> Self {
        Self { redis, under_way: RefCell::default(), most: RefCell::default(), calls: Cell::new(0) }
    }
}

impl<R: Redis> Redis for Counting<'_, R> {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        let now = {
            let mut under_way = self.under_way.borrow_mut();
            let now = under_way.entry(script.name).or_default();
            *now += 1;
            *now
        };
        let most = self.most.borrow().get(script.name).copied().unwrap_or_default();
        self.most.borrow_mut().insert(script.name, most.max(now));
        self.calls.set(self.calls.get() + 1);
        tokio::time::sleep(LATENCY).await;
        let reply = self.redis.eval(script, keys, args).await;
        *self.under_way.borrow_mut().entry(script.name).or_default() -= 1;
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
    for (round, scripts) in
        [&["feed_push_many"][..], &["feed_push", "feed_push_many"]].iter().enumerate()
    {
        let (epoch, entries) = commit(&member.record, &users, NOW_MS).await;
        redis.run::<()>("FLUSHALL").await;
        let counting = Counting::new(&member.redis);
        let delivered = deliver_many(&counting, &member.record, &entries, &epoch, None).await;
        assert!(delivered.len() == users.len() && delivered.iter().all(Result::is_ok));
        let most = counting.most.into_inner();
        assert_eq!(most.keys().copied().collect::<Vec<_>>(), *scripts);
        assert!((2..=4).contains(&most["feed_push_many"]), "{most:?}");
        let shared_calls = users.len().div_ceil(16);
        if round == 0 {
            assert_eq!(counting.calls.get(), shared_calls);
        } else {
            assert!((2..=32).contains(&most["feed_push"]), "{most:?}");
            assert_eq!(counting.calls.get(), shared_calls + users.len());
        }
    }
}
