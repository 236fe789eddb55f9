//! A campaign's push as its scripts do it, driven by the calls and replies of `shared`, as the worker
//! drives them: blocks and their owners, the rate, and workers that fail at random.

mod blocks;
mod control;
mod index;
mod rate;
mod workers;

use std::cell::Cell;

use redis::Value;
use redis::aio::MultiplexedConnection;
use shared::campaign_push::progress::Progress;
use shared::campaign_push::{Block, Call, Claim, Claimed, Settled, State};
use shared::script::Script;
use shared::{CampaignId, keys, script};
use support::RedisServer;

/// Longer than any test.
const LEASE_MS: i64 = 600_000;
/// So short that a test need not wait for its end.
const RAMP_MS: i64 = 100;

/// A campaign in a Redis of its own.
struct Push {
    connection: MultiplexedConnection,
    id: CampaignId,
    lease_ms: i64,
    ramp_ms: i64,
    nonces: Cell<usize>,
}

impl Push {
    async fn of(redis: &RedisServer) -> Self {
        let (connection, id) = (redis.connection().await, CampaignId::parse("c").unwrap());
        Self { connection, id, lease_ms: LEASE_MS, ramp_ms: RAMP_MS, nonces: Cell::new(0) }
    }

    /// With users `0..count`, started at this rate.
    async fn started(redis: &RedisServer, count: usize, rate: i64) -> Self {
        let push = Self::of(redis).await;
        push.add(0..count).await;
        assert_eq!(push.start("{}", rate).await.state, State::Running);
        push
    }

    async fn eval(&self, script: &Script, keys: &[String], args: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut command = redis::cmd("EVAL");
        command.arg(script.source).arg(keys.len()).arg(keys).arg(args);
        let reply: Vec<Value> = command.query_async(&mut self.connection.clone()).await.unwrap();
        let bytes = |value| match value {
            Value::BulkString(bytes) => bytes,
            Value::Int(number) => number.to_string().into_bytes(),
            other => panic!("{}: {other:?}", script.name),
        };
        reply.into_iter().map(bytes).collect()
    }

    async fn call(&self, call: &Call) -> Vec<Vec<u8>> {
        self.eval(call.script, &call.keys, &call.args).await
    }

    async fn script(&self, script: &Script, args: &[&str]) -> Vec<String> {
        let args: Vec<Vec<u8>> =
            ["86400"].iter().chain(args).map(|arg| arg.as_bytes().to_vec()).collect();
        let reply = self.eval(script, &keys::campaign_push(&self.id), &args).await;
        reply.into_iter().map(|part| String::from_utf8(part).unwrap()).collect()
    }

    fn nonce(&self) -> String {
        self.nonces.set(self.nonces.get() + 1);
        format!("n{}", self.nonces.get())
    }

    async fn add(&self, users: std::ops::Range<usize>) {
        let elements: Vec<String> = users.map(element).collect();
        self.add_elements(&elements).await;
    }

    async fn add_elements(&self, elements: &[String]) {
        let keys = [
            keys::campaign(&self.id),
            keys::campaign_companion(&self.id),
            keys::once(&keys::campaign(&self.id), &self.nonce()),
        ];
        let head = ["86400", "60", "append", "1000000", "9", "", ""];
        let args = head.iter().map(|arg| arg.as_bytes().to_vec());
        let args: Vec<_> =
            args.chain(elements.iter().map(|one| one.clone().into_bytes())).collect();
        self.eval(&script::CAMPAIGN_ADD, &keys, &args).await;
    }

    async fn start(&self, options: &str, rate: i64) -> Progress {
        self.start_at(options, rate, 0).await
    }

    async fn start_at(&self, options: &str, rate: i64, start_ms: i64) -> Progress {
        let args = [options, &rate.to_string(), &start_ms.to_string()];
        progress_of(self.script(&script::PUSH_START, &args).await)
    }

    async fn progress(&self) -> Progress {
        progress_of(self.script(&script::PUSH_PROGRESS, &[]).await)
    }

    async fn control(&self, action: &str) -> Vec<String> {
        self.script(&script::PUSH_CONTROL, &[action]).await
    }

    async fn redrive(&self) -> Vec<String> {
        self.script(&script::PUSH_REDRIVE, &["1000"]).await
    }

    fn new_claim(&self, users_max: usize) -> Claim {
        // Options of these tests are not ones of a request: they are never asked for.
        let claim = Claim::new(self.id.clone(), self.nonce(), users_max, -1);
        claim.with_times(self.lease_ms, self.ramp_ms)
    }

    async fn send(&self, claim: Claim) -> Claimed {
        let mut call = claim.call();
        call.args[5] = self.rev().await.into_bytes();
        claim.answered(&self.call(&call).await).unwrap()
    }

    async fn claim(&self, users_max: usize) -> Claimed {
        self.send(self.new_claim(users_max)).await
    }

    /// Fills the bucket, as if the ramp had ended long ago.
    async fn fill(&self) {
        let [_, _, hash, ..] = keys::campaign_push(&self.id);
        let mut command = redis::cmd("HSET");
        command.arg(hash).arg("tokens").arg(1_000_000).arg("ramp_ms").arg(0);
        command.arg("filled_ms").arg(self.now_ms().await);
        let _: Value = command.query_async(&mut self.connection.clone()).await.unwrap();
    }

    /// Claims a block of `users` users.
    async fn block(&self, users: usize) -> Block {
        self.fill().await;
        let block = self.claim(users).await.block.unwrap();
        assert_eq!(block.open().count(), users, "{block:?}");
        block
    }

    async fn release(&self, mut block: Block) {
        let open: Vec<_> = block.open().map(|(at, item)| (at, item.clone())).collect();
        for (at, item) in open {
            block.settle(at, shared::campaign_push::End::released(&item));
        }
        assert!(self.settle(&mut block).await.is_owned);
    }

    async fn settle(&self, block: &mut Block) -> Settled {
        let settlement = block.settlement();
        if let Some(respond) = &settlement.respond {
            self.call(respond).await;
        }
        block.answered(&self.call(&settlement.settle).await).unwrap()
    }

    /// Revision of the options.
    async fn rev(&self) -> String {
        let [_, _, hash, ..] = keys::campaign_push(&self.id);
        let command = redis::cmd("HGET").arg(hash).arg("rev").to_owned();
        let rev: Option<String> = command.query_async(&mut self.connection.clone()).await.unwrap();
        rev.unwrap_or_default()
    }

    async fn now_ms(&self) -> i64 {
        let command = redis::cmd("TIME");
        let time: (i64, i64) = command.query_async(&mut self.connection.clone()).await.unwrap();
        time.0 * 1000 + time.1 / 1000
    }
}

fn element(at: usize) -> String {
    format!(r#"{{"userId":"u{at}"}}"#)
}

fn progress_of(reply: Vec<String>) -> Progress {
    let parts: Vec<Vec<u8>> = reply.into_iter().map(String::into_bytes).collect();
    Progress::parse(&parts).unwrap()
}

fn elements(block: &Block) -> Vec<String> {
    let texts = block.open().map(|(_, item)| String::from_utf8(item.element.clone()).unwrap());
    texts.collect()
}

/// Numbers of `sent`, `failed`, `invalid`, `skipped`, and of all that remain.
fn counts(progress: &Progress) -> [i64; 5] {
    let Progress { sent, failed, invalid, skipped, .. } = progress;
    [*sent, *failed, *invalid, *skipped, progress.remaining()]
}
