//! A primary is lost and its standby promoted, while the functions work. What was answered 201 is
//! lost only if Postgres lost it; errors are 503, and soon. `connections` is about those that lead to
//! another server than the address does.

mod connections;
pub mod stream;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Functions, Hub, Postgres, Proxy, Published, RedisServer, token};
use tokio::time::Instant;

use crate::faults::load::until_nothing_is_pending;
use crate::faults::record::next_title;
use stream::Stream;

/// A statement's 5 s, and a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(7);
/// From the moment that the address leads to the new primary until creates work.
const BACK_LIMIT: Duration = Duration::from_secs(5);

/// Functions that reach their database at an address that can move.
struct Stage {
    functions: Functions,
    proxy: Proxy,
    primary: Postgres,
    standby: Postgres,
    redis: RedisServer,
}

impl Stage {
    /// With a standby that streams, and that no commit waits for.
    async fn set() -> Self {
        let (redis, primary) = (RedisServer::start().await, Postgres::start().await);
        let proxy = Proxy::to(&primary.address()).await;
        let url = format!("postgres://postgres@{}/postgres?sslmode=disable", proxy.address());
        let functions = start(&redis, &url, &proxy.address()).await;
        let standby = primary.replica().await;
        Self { functions, proxy, primary, standby, redis }
    }

    /// Every commit waits until the standby has it on its disk.
    async fn set_synchronous() -> Self {
        let stage = Self::set().await;
        stage.primary.commit_synchronously("on").await;
        stage
    }

    async fn fail_over(&self) {
        self.primary.kill();
        self.proxy.cut();
        self.standby.promote();
        self.proxy.lead_to(&self.standby.address());
    }

    async fn create_with_key(&self, key: &str, body: &Value) -> Answer {
        let call = self.functions.post("/notifications", body.to_string());
        let call = call.token(&token("a service", "notifications:write"));
        call.header("idempotency-key", key).send().await
    }

    /// The ids of the jobs of a claim.
    async fn claim(&self) -> Vec<Value> {
        let body = json!({"max": 100, "leaseMs": 60_000}).to_string();
        let call = self.functions.post("/push/claim", body).token(&token("w", "push:send"));
        let claim = call.send().await.expect(200).json();
        claim["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect()
    }
}

async fn start(redis: &RedisServer, url: &str, host: &str) -> Functions {
    let setup = Functions::with(redis).variable("record", "postgres");
    let functions = setup.variable("postgres_url", url).variable("postgres_host", host);
    let functions = functions.start().await;
    functions.notify("nobody", "tables").await;
    functions
}

/// The ids of a user's entries in the record, oldest first; their numbers have no hole.
fn recorded(postgres: &Postgres, user: &str) -> Vec<String> {
    let rows = postgres.run(&format!(
        "SELECT seq, id FROM bellwire.notifications WHERE user_id = '{user}' ORDER BY seq"
    ));
    let row = |(at, row): (usize, &str)| {
        let (seq, id) = row.split_once('|').unwrap();
        assert_eq!(seq, (at + 1).to_string(), "{user}: {rows}");
        id.to_owned()
    };
    rows.lines().enumerate().map(row).collect()
}

/// The ids in a feed, oldest first.
async fn shown(functions: &Functions, user: &str) -> Vec<String> {
    let feed = functions.feed(user).await.expect(200).json();
    let entries = feed["notifications"].as_array().unwrap().iter().rev();
    entries.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_synchronous_standby_that_is_promoted_under_load_has_every_201() {
    let stage = Stage::set_synchronous().await;
    let published = Published::subscribe(&stage.redis).await;
    let stream = Stream::new(&stage.functions);
    let ((), back) = tokio::join!(stream.run(), async {
        stream.until_answered(80).await;
        stage.primary.kill();
        stage.proxy.cut();
        stream.until_refused(10).await;
        stage.standby.promote();
        stage.proxy.lead_to(&stage.standby.address());
        let (begun, answered) = (Instant::now(), stream.answered());
        stream.until_answered(answered + 1).await;
        let back = begun.elapsed();
        stream.until_answered(answered + 80).await;
        stream.end();
        back
    });
    assert!(back < BACK_LIMIT, "{back:?}");
    assert!(stream.slowest() < ANSWER_LIMIT, "{:?}", stream.slowest());
    until_nothing_is_pending(&stage.functions).await;
    for user in stream::USERS {
        let ids = recorded(&stage.standby, user);
        stream.check_record(user, &ids);
        assert_eq!(shown(&stage.functions, user).await, ids, "{user}");
        let seqs: Vec<i64> = (1..).take(ids.len()).collect();
        assert_eq!(published.seqs(user).await, seqs, "{user}");
        let messages = published.messages();
        let places = ids.iter().map(|id| messages.iter().position(|text| text.contains(id)));
        assert!(places.clone().all(|place| place.is_some()) && places.is_sorted(), "{user}");
    }
}

/// The commits are on the primary, and wait for a standby: unknown, to those who asked for them.
#[tokio::test]
async fn while_a_synchronous_standby_is_away_creates_fail_in_time_and_are_not_lost() {
    let stage = Stage::set_synchronous().await;
    let Stage { functions, primary, .. } = &stage;
    let published = Published::subscribe(&stage.redis).await;
    functions.notify("alice", "one").await;
    stage.standby.kill();
    let body = json!({"userId": "alice", "title": "waits"});
    for answer in join_all((0..3).map(|_| functions.create(&body))).await {
        answer.expect_problem(503, "record_unavailable").within(ANSWER_LIMIT);
    }
    primary.commit_alone();
    functions.create(&body).await.expect(201).within(BACK_LIMIT);
    until_nothing_is_pending(functions).await;
    let ids = recorded(primary, "alice");
    assert_eq!(shown(functions, "alice").await, ids);
    assert_eq!(published.seqs("alice").await, (1..).take(ids.len()).collect::<Vec<i64>>());
}

#[tokio::test]
async fn keys_and_push_jobs_outlive_a_failover() {
    let stage = Stage::set_synchronous().await;
    let published = Published::subscribe(&stage.redis).await;
    let put = stage.functions.call("PUT", "/users/alice/token").body(r#"{"token":"t"}"#);
    put.token(&token("alice", "")).send().await.expect(204);
    let body = |title: &str| json!({"userId": "alice", "title": title, "push": {"when": "always"}});
    let claimed = stage.create_with_key("k1", &body("one")).await.expect(201).json();
    assert_eq!(stage.claim().await, [claimed["id"].clone()]);
    let waiting = stage.create_with_key("k2", &body("two")).await.expect(201).json();

    stage.fail_over().await;
    for (key, title, first) in [("k1", "one", &claimed), ("k2", "two", &waiting)] {
        let again = stage.create_with_key(key, &body(title)).await.expect(201).json();
        assert_eq!(&again, first, "{key}");
        let other = stage.create_with_key(key, &body("other")).await;
        other.expect_problem(422, "idempotency_mismatch");
    }
    assert_eq!(stage.claim().await, [waiting["id"].clone()], "the lease of the other holds");
    stage.functions.notify("alice", "three").await;
    assert_eq!(published.seqs("alice").await, [1, 2, 3]);
    assert_eq!(stage.functions.titles("alice").await, ["three", "two", "one"]);
}

#[tokio::test]
async fn what_a_promoted_standby_lacks_is_lost_and_nothing_else() {
    let stage = Stage::set().await;
    let Stage { functions, standby, .. } = &stage;
    let hub = Hub::start(&stage.redis).await;
    let [mut alice, mut bob, mut carol] =
        [hub.connect("alice").await, hub.connect("bob").await, hub.connect("carol").await];
    for title in ["a1", "a2"] {
        functions.notify("alice", title).await;
    }
    functions.notify("carol", "c1").await;
    stage.primary.until_replicated().await;
    standby.stop_streaming().await;
    for (user, title) in [("alice", "a3"), ("alice", "a4"), ("bob", "b1")] {
        assert_eq!(functions.notify(user, title).await["delivery"], "sent");
    }
    let order = json!({"userId": "dave", "title": "d1", "push": {"when": "always"}});
    let lost = stage.create_with_key("dave's", &order).await.expect(201).json();
    assert_eq!(alice.titles(4).await, ["a1", "a2", "a3", "a4"]);
    assert_eq!(
        (bob.titles(1).await, carol.titles(1).await),
        (vec!["b1".into()], vec!["c1".into()])
    );

    stage.fail_over().await;
    assert_eq!((recorded(standby, "alice").len(), recorded(standby, "bob").len()), (2, 0));
    // Until something is created, the feed shows what was delivered.
    assert_eq!(functions.titles("alice").await, ["a4", "a3", "a2", "a1"]);
    for (user, socket, title, seq, feed) in [
        ("alice", &mut alice, "a5", 3, vec!["a5", "a2", "a1"]),
        ("bob", &mut bob, "b2", 1, vec!["b2"]),
        ("carol", &mut carol, "c2", 2, vec!["c2", "c1"]),
    ] {
        let created = functions.notify(user, title).await;
        assert_eq!((&created["seq"], &created["delivery"]), (&json!(seq), &json!("sent")));
        assert_eq!(next_title(socket).await, title);
        assert_eq!(functions.titles(user).await, feed);
        functions.notify(user, "end").await;
        assert_eq!(socket.titles(1).await, ["end"], "{user}: nothing comes twice");
    }
    // Its service has no reason to repeat it. If it does, the key is unknown.
    let again = stage.create_with_key("dave's", &order).await.expect(201).json();
    assert_eq!((&again["seq"], again["id"] == lost["id"]), (&json!(1), false));
    until_nothing_is_pending(functions).await;
    for user in ["alice", "bob", "carol", "dave"] {
        assert_eq!(shown(functions, user).await, recorded(standby, user), "{user}");
    }
    assert_eq!(standby.run("SELECT count(*) FROM bellwire.push_job"), "1");
}
