//! The disk that is full is the one that Redis writes its append-only file to. Redis goes on reading
//! and publishing, and answers MISCONF to every write: no create fails, nothing is lost or doubled,
//! and what cannot be done is said to be so.

use std::time::Duration;

use serde_json::{Value, json};
use support::redis_server::{Options, Persistence};
use support::{Answer, Functions, Hub, Origin, RedisServer, SmallDisk, Socket};
use support::{eventually, eventually_within, token};

/// Generous: Redis answers at once.
const BOUND: Duration = Duration::from_secs(5);
/// The hub calls the relay every 30 s; without another event that is the latest.
const RELAYED: Duration = Duration::from_secs(45);
const DISK_KIB: usize = 8 * 1024;

const RESOURCES: &str = r#"
[[resource]]
path = "fresh"
access = "public"
fresh = "100s"
http = { url = "http://{{ settings_host }}/fresh" }

[[resource]]
path = "stale"
access = "public"
fresh = "0s"
stale = "100s"
http = { url = "http://{{ settings_host }}/stale" }

[[resource]]
path = "other"
access = "public"
fresh = "100s"
http = { url = "http://{{ settings_host }}/other" }
"#;

struct World {
    redis: RedisServer,
    functions: Functions,
    hub: Hub,
    socket: Socket,
    /// Titles of everything that was answered 201, oldest first.
    created: Vec<String>,
    /// Those that were delivered at once.
    sent: Vec<String>,
}

impl World {
    async fn start(disk: &SmallDisk, origin: &Origin) -> Self {
        let (persistence, dir) = (Persistence::EverySecond, Some(disk.path().to_owned()));
        let options = Options { persistence, dir, ..Options::default() };
        let redis = RedisServer::start_with(options).await;
        let setup = Functions::with(&redis).resources(RESOURCES);
        let functions = setup.variable("settings_host", origin.address()).start().await;
        let hub = Hub::start_with_relay(&redis, &functions).await;
        let socket = hub.connect("alice").await;
        Self { redis, functions, hub, socket, created: Vec::new(), sent: Vec::new() }
    }

    async fn create(&mut self) -> String {
        let title = format!("number {}", self.created.len() + 1);
        let body = json!({"userId": "alice", "title": title});
        let answer = self.functions.create(&body).await.expect(201).within(BOUND).json();
        if answer["delivery"] == "sent" {
            self.sent.push(title.clone());
        }
        self.created.push(title);
        answer["delivery"].as_str().unwrap().to_owned()
    }

    async fn cached(&self, path: &str) -> Answer {
        self.functions.get(&format!("/cache/{path}")).send().await.expect(200).within(BOUND)
    }

    async fn queue(&self, what: &str, body: &Value) -> Answer {
        let call = self.functions.post(&format!("/queues/work/{what}"), body.to_string());
        call.token(&token("a worker", "queues:write")).send().await.within(BOUND)
    }

    async fn received(&self) -> Vec<Value> {
        let answer = self.queue("receive", &json!({"max": 10})).await.expect(200).json();
        let messages = answer["messages"].as_array().unwrap();
        messages.iter().map(|message| message["payload"].clone()).collect()
    }

    /// The titles of the feed, oldest first.
    async fn feed(&self) -> Vec<String> {
        let newest_first = self.functions.titles("alice").await;
        newest_first.into_iter().rev().collect()
    }
}

/// Serves what it has, stores nothing, and says so.
async fn goes_on_without_writes(world: &mut World) {
    for _ in 0..10 {
        assert_eq!(world.create().await, "pending");
    }
    // Redis answers, so the feed is as Redis has it.
    assert_eq!(world.feed().await, world.sent);
    let hit = world.cached("fresh").await;
    assert!(hit.header("cache-status").starts_with("bellwire; hit"), "{hit:?}");
    // Nobody can hold a lease for its refresh, so the old value is served until writes work again.
    let stale = world.cached("stale").await;
    assert!(stale.header("cache-status").starts_with("bellwire; hit"), "{stale:?}");
    let bypass = world.cached("other").await;
    assert!(bypass.header("cache-status").starts_with("bellwire; fwd=bypass"), "{bypass:?}");
    for (what, body) in [("messages", json!({"messages": [2]})), ("receive", json!({}))] {
        let answer = world.queue(what, &body).await;
        let answer = answer.expect_problem(503, "redis_unavailable");
        assert!(answer.header_opt("retry-after").is_some(), "{what}");
        assert!(answer.text().contains("cannot save its data"), "{}", answer.text());
    }
    let answer = world.functions.get("/readyz").send().await.within(BOUND);
    let answer = answer.expect_problem(503, "redis_unavailable");
    assert!(answer.text().contains("cannot save its data"), "{}", answer.text());
    // Messages that Redis publishes still arrive, so the hub takes sockets: only tickets and
    // presence need writes.
    assert_eq!(world.hub.http.get("/readyz").send().await.status, 200);
    let mut bob = world.hub.connect("bob").await;
    let ticket = world.hub.http.post("/ws/ticket", "").token(&token("alice", ""));
    ticket.send().await.expect_problem(503, "redis_unavailable");
    let by_hand = json!({"notification": {"userId": "bob", "title": "by hand"}}).to_string();
    world.redis.command(&["PUBLISH", "notifications", &by_hand]).await;
    assert_eq!(bob.titles(1).await, ["by hand"]);
}

#[tokio::test]
async fn a_redis_whose_disk_is_full_loses_and_doubles_nothing() {
    let Some(disk) = SmallDisk::mount(DISK_KIB) else { return };
    let origin = Origin::start().await;
    let mut world = World::start(&disk, &origin).await;
    assert_eq!(world.create().await, "sent");
    for path in ["fresh", "stale"] {
        world.cached(path).await;
    }
    world.queue("messages", &json!({"messages": [1]})).await.expect(200);

    disk.fill();
    // The last page of the file has some room left.
    while world.create().await == "sent" {
        assert!(world.created.len() < 100, "Redis still writes");
    }
    goes_on_without_writes(&mut world).await;

    disk.free();
    // Redis tries again once a second.
    let is_ready =
        async || (world.functions.get("/readyz").send().await.status == 200).then_some(());
    eventually("Redis takes writes again", is_ready).await;
    let mut titles = Vec::new();
    while titles.len() < world.created.len() {
        let frame: Value = serde_json::from_str(&world.socket.text_within(RELAYED).await).unwrap();
        assert_eq!(frame["type"], "notification", "{frame}");
        titles.push(frame["notification"]["title"].as_str().unwrap().to_owned());
    }
    assert_eq!(titles, world.created);
    assert_eq!(world.create().await, "sent");
    assert_eq!(world.socket.titles(1).await, [world.created.last().unwrap().as_str()]);
    assert_eq!(world.received().await, [json!(1)]);
    let presence = async || {
        let call = world.functions.get("/presence/bob").token(&token("svc", "presence:read"));
        (call.send().await.expect(200).json()["online"] == true).then_some(())
    };
    let _bob = world.hub.connect("bob").await;
    eventually_within(Duration::from_secs(20), "bob is online", presence).await;

    // All of it is in the file, too.
    world.redis.kill();
    world.redis.restart().await;
    let kept = world.redis.list("notifications:alice").await;
    assert_eq!(kept.len(), world.created.len());
    assert_eq!(world.feed().await, world.created);
}
