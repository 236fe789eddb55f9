//! The record is away: stopped, locked, or with the functions before it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::push_service::{fcm_error, fcm_ok, fcm_token};
use support::{Functions, Postgres, RedisServer, eventually, eventually_within, token};

use super::{CAMPAIGN_LIMIT, Sent, Stage, names, token_of};

const USERS: usize = 1000;
const RATE: usize = 100;
/// One address in so many is dead: far from what trips the guard.
const DEAD_EVERY: usize = 100;
/// Notifications that are created right before the fault, and become due in it.
const NOTIFICATIONS: usize = 20;
/// The latest that one of them is due.
const DUE_AFTER_S: usize = 2;
/// Calls of the functions that fail before the fault ends. With a lock, each takes seconds.
const FAILURES: f64 = 4.0;
const FAILURES_LIMIT: Duration = Duration::from_secs(60);
const FAILED: &str = "bellwire_push_functions_calls_total{outcome=\"failed\"}";

fn is_dead(user: &str) -> bool {
    user.trim_start_matches('u').parse::<usize>().unwrap() % DEAD_EVERY == 50
}

/// A campaign under way, and the ids of notifications whose pushes are due soon.
struct Middle {
    stage: Stage,
    users: Vec<String>,
    ids: Vec<String>,
    /// All of them are due then.
    due: Instant,
}

impl Middle {
    async fn reach(functions: Functions, redis: &RedisServer) -> Self {
        let stage = Stage::start(functions, &redis.url(), |seen| {
            match is_dead(fcm_token(seen).trim_start_matches("token of ")) {
                true => fcm_error(404, "UNREGISTERED"),
                false => fcm_ok(),
            }
        })
        .await;
        let users = names(USERS);
        stage.give_tokens(&users).await;
        stage.start_campaign(&users, RATE).await;
        stage.until("the campaign is under way", |it| it["sent"].as_u64() > Some(100)).await;
        let mut ids = Vec::new();
        for (at, user) in users.iter().take(NOTIFICATIONS).enumerate() {
            let push = json!({"when": "always", "afterSeconds": 1 + at % DUE_AFTER_S});
            ids.push(stage.notify(user, push).await);
        }
        let due = Instant::now() + Duration::from_secs(DUE_AFTER_S as u64);
        Self { stage, users, ids, due }
    }

    /// Waits until the worker has said so, all is due, and the worker has tried in vain since.
    async fn worker_waits(&self) -> Sent {
        let Self { stage, .. } = self;
        eventually("the worker is not ready", async || {
            (stage.worker.ready().await.0 == 503).then_some(())
        })
        .await;
        tokio::time::sleep_until(self.due.into()).await;
        self.failures().await;
        stage.sent()
    }

    async fn failures(&self) {
        let before = self.stage.worker.metric(FAILED).await;
        eventually_within(FAILURES_LIMIT, "calls fail", async || {
            (self.stage.worker.metric(FAILED).await >= before + FAILURES).then_some(())
        })
        .await;
    }

    /// After the fault: nobody was left out, nobody got it twice, and the dead addresses are
    /// removed, no other ones.
    async fn all_is_well(&self) {
        let Self { stage, users, ids, .. } = self;
        stage.is_ready("the worker is ready again").await;
        let done = stage.until("the campaign is done", |it| it["state"] == "done").await;
        let dead = users.iter().filter(|user| is_dead(user)).count();
        assert_eq!(
            (&done["sent"], &done["invalid"], &done["failed"]),
            (&json!(USERS - dead), &json!(dead), &json!(0)),
            "{done}"
        );
        let sent = stage.sent();
        assert_eq!((sent.users.len(), sent.doubles()), (USERS, 0));
        stage.pushed_once(ids).await;
        let log = stage.worker.process.output();
        assert!(!["token of", "Paid", "Sale"].iter().any(|text| log.contains(text)), "{log}");
        let expected: serde_json::Map<String, Value> = users
            .iter()
            .map(|user| {
                let token = Some(token_of(user)).filter(|_| !is_dead(user));
                (user.clone(), json!(token))
            })
            .collect();
        eventually_within(CAMPAIGN_LIMIT, "the dead addresses are removed", async || {
            let read = stage.call("POST", "/tokens/read", &json!({"userIds": users})).await;
            let tokens = read.expect(200).json()["tokens"].take();
            let is_kept = |user: &String| is_dead(user) || tokens[user] == expected[user];
            assert!(users.iter().all(is_kept), "{tokens}");
            (tokens == Value::Object(expected.clone())).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_the_worker_waits_and_then_goes_on() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = Functions::with(&redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.url())
        .variable("postgres_host", postgres.address())
        .start()
        .await;
    let migrated = functions.post("/admin/migrate", "").token(&token("ops", "ops:write"));
    migrated.send().await.expect(200);
    let middle = Middle::reach(functions, &redis).await;
    postgres.kill();
    let waiting = middle.worker_waits().await;
    assert!(waiting.users.len() < USERS, "the campaign was over before");
    middle.failures().await;
    let later = middle.stage.sent();
    assert_eq!(later.users, waiting.users, "nothing is sent whose address nobody knows");
    assert_eq!(later.notifications, waiting.notifications);
    postgres.restart().await;
    middle.all_is_well().await;
}

/// Readers do not wait for the lock of a writer: the campaign goes on, and claims, results and
/// removals wait.
#[tokio::test(flavor = "multi_thread")]
async fn while_sqlite_is_locked_nothing_is_claimed_or_removed_and_nothing_is_lost() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let middle = Middle::reach(functions, &redis).await;
    let lock = middle.stage.functions.record.open();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = middle.worker_waits().await;
    middle.failures().await;
    assert_eq!(middle.stage.sent().notifications, waiting.notifications);
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    middle.all_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_functions_are_away_the_worker_waits_and_then_goes_on() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let middle = Middle::reach(functions, &redis).await;
    middle.stage.functions.kill();
    let waiting = middle.worker_waits().await;
    middle.failures().await;
    let later = middle.stage.sent();
    assert!(later.users.len() < USERS, "the campaign was over before");
    assert_eq!(later.users, waiting.users, "nothing is sent whose address nobody knows");
    middle.stage.functions.restart().await;
    middle.all_is_well().await;
}
