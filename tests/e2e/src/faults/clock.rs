//! Clocks that jump by ten minutes and back: of hub and functions, and of Redis. Waits, leases and
//! lifetimes are counted by monotonic clocks or by Redis' own; only the times in tokens and
//! notifications are compared with the clock of dates.

use std::time::Duration;

use serde_json::{Value, json};
use shared::keys;
use support::functions::titles;
use support::jwt::{KEY, now_s};
use support::redis_server::Options;
use support::{FakeClock, Functions, Hub, Jwt, Origin, RedisServer, Socket};
use support::{eventually_within, token};

const JUMP_S: i64 = 600;
/// The contract of presence.
const PRESENCE: Duration = Duration::from_secs(20);

const RESOURCES: &str = r#"
[[resource]]
path = "kept"
access = "public"
fresh = "100s"
http = { url = "http://{{ settings_host }}/kept" }
"#;

struct World {
    redis: RedisServer,
    origin: Origin,
    functions: Functions,
    hub: Hub,
    alice: Socket,
    /// Titles of alice's notifications, oldest first.
    created: Vec<String>,
}

impl World {
    /// Programs whose clock is `own`, and a Redis whose clock is the system's, or the other way
    /// round.
    async fn start(clock: &FakeClock, is_of_redis: bool) -> Self {
        let environment = |is_faked: bool| match is_faked {
            true => Vec::from(clock.environment()),
            false => Vec::new(),
        };
        let of_redis = environment(is_of_redis);
        let redis =
            RedisServer::start_with(Options { environment: of_redis, ..Options::default() }).await;
        let origin = Origin::start().await;
        let setup = Functions::with(&redis).resources(RESOURCES).env(environment(!is_of_redis));
        let functions = setup.variable("settings_host", origin.address()).start().await;
        let hub = Hub::with(&redis.url()).relay(&functions.url()).env(environment(!is_of_redis));
        let hub = hub.start().await;
        hub.ready().await;
        let alice = hub.connect("alice").await;
        Self { redis, origin, functions, hub, alice, created: Vec::new() }
    }

    /// A notification arrives as usual, and is the newest in the feed.
    async fn delivers(&mut self) {
        let title = format!("number {}", self.created.len() + 1);
        assert_eq!(self.functions.notify("alice", &title).await["delivery"], "sent");
        assert_eq!(self.alice.titles(1).await, [title.as_str()]);
        self.created.push(title);
        let newest_first: Vec<_> = self.created.iter().rev().cloned().collect();
        assert_eq!(self.functions.titles("alice").await, newest_first);
        self.functions.get("/readyz").send().await.expect(200);
        assert_eq!(self.hub.http.get("/readyz").send().await.status, 200);
    }

    /// The hub renews its lease, and so alice is online.
    async fn alice_is_online(&self) {
        let lease = async || {
            let leases: Vec<String> = self
                .redis
                .run_words(&["ZRANGE", keys::PRESENCE_LEASES, "0", "-1", "WITHSCORES"])
                .await;
            leases.last().cloned()
        };
        let before = lease().await;
        eventually_within(PRESENCE, "the hub renews its lease", async || {
            lease().await.filter(|now| Some(now) != before.as_ref()).map(drop)
        })
        .await;
        eventually_within(PRESENCE, "alice is online", async || {
            let call = self.functions.get("/presence/alice");
            let answer = call.token(&token("a service", "presence:read")).send().await;
            (answer.expect(200).json()["online"] == true).then_some(())
        })
        .await;
    }

    /// Payloads of messages, which stay invisible for a minute.
    async fn received(&self) -> Vec<Value> {
        let call = self.functions.post("/queues/work/receive", r#"{"visibilitySeconds":60}"#);
        let answer = call.token(&token("a worker", "queues:write")).send().await.expect(200);
        let messages = answer.json()["messages"].as_array().unwrap().clone();
        messages.iter().map(|message| message["payload"].clone()).collect()
    }

    async fn send_message(&self) {
        let call = self.functions.post("/queues/work/messages", r#"{"messages":[1]}"#);
        call.token(&token("a worker", "queues:write")).send().await.expect(200);
    }

    /// Status of a read with this token of bob's, and of a handshake.
    async fn statuses(&self, jwt: &Jwt) -> [u16; 2] {
        let token = jwt.sign(KEY);
        let read = self.functions.get("/users/bob/notifications").token(&token).send().await;
        let mut request = self.hub.request("");
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let shaken = self.hub.handshake(request).await;
        [read.status, shaken.map_or_else(|status| status, |_| 200)]
    }

    async fn ticket(&self) -> String {
        let call = self.hub.http.post("/ws/ticket", "").token(&token("alice", ""));
        call.send().await.expect(201).json()["ticket"].as_str().unwrap().to_owned()
    }

    async fn redeem(&self, ticket: &str) -> u16 {
        let shaken = self.hub.handshake(self.hub.request(&format!("ticket={ticket}"))).await;
        shaken.map_or_else(|status| status, |_| 200)
    }

    async fn cached(&self) -> usize {
        self.functions.get("/cache/kept").send().await.expect(200);
        self.origin.count()
    }
}

#[tokio::test]
async fn a_clock_of_hub_and_functions_that_jumps_ends_no_socket_and_loses_nothing() {
    let Some(clock) = FakeClock::new() else { return };
    let mut world = World::start(&clock, false).await;
    world.delivers().await;
    let brief = Jwt::of("bob").expires_in(JUMP_S / 2);
    let young = Jwt::of("bob").claim("nbf", now_s());
    let mut request = world.hub.request("");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {}", brief.sign(KEY)).parse().unwrap());
    headers.insert("sec-websocket-protocol", "bellwire.raw".parse().unwrap());
    let mut bob = world.hub.handshake(request).await.unwrap();
    let ends = shared::time::rfc3339((now_s() + JUMP_S / 2) * 1000);
    let body = json!({"userId": "carol", "title": "brief", "expiresAt": ends});
    world.functions.create(&body).await.expect(201);
    world.send_message().await;
    assert_eq!(world.received().await, [json!(1)]);
    assert_eq!(world.cached().await, 1);

    for ahead_s in [JUMP_S, 0, -JUMP_S, 0] {
        clock.set_ahead(ahead_s);
        world.delivers().await;
        world.alice_is_online().await;
        // By its token it would end at another time of the clock: it was counted at the handshake.
        world.functions.notify("bob", "one").await;
        assert!(bob.text().await.contains("\"one\""));
        let expected = if ahead_s > 0 { [401, 401] } else { [200, 200] };
        assert_eq!(world.statuses(&brief).await, expected, "exp, {ahead_s}");
        let expected = if ahead_s < 0 { [401, 401] } else { [200, 200] };
        assert_eq!(world.statuses(&young).await, expected, "nbf, {ahead_s}");
        // What is past its time is hidden for as long as it is past it.
        let feed = world.functions.feed("carol").await.expect(200).json();
        let shown = if ahead_s > 0 { vec![] } else { vec!["brief".to_owned()] };
        assert_eq!((titles(&feed), &feed["unread"]), (shown.clone(), &json!(shown.len())));
        // Redis counts these.
        assert_eq!(world.redeem(&world.ticket().await).await, 200);
        assert!(world.received().await.is_empty());
        assert_eq!(world.cached().await, 1, "it is fresh");
    }
    // Within the leeway a clock may differ.
    clock.set_ahead(-30);
    assert_eq!(world.statuses(&young).await, [200, 200]);
}

#[tokio::test]
async fn a_clock_of_redis_that_jumps_ends_leases_and_nothing_else() {
    let Some(clock) = FakeClock::new() else { return };
    let mut world = World::start(&clock, true).await;
    world.delivers().await;
    world.send_message().await;
    assert_eq!(world.received().await, [json!(1)]);
    assert_eq!(world.cached().await, 1);
    let ticket = world.ticket().await;

    clock.set_ahead(JUMP_S);
    world.delivers().await;
    // The hub's lease is over, and the hub begins another one.
    world.alice_is_online().await;
    // Its visibility is over, too: a message may come twice.
    assert_eq!(world.received().await, [json!(1)]);
    assert_eq!(world.cached().await, 2, "it is fresh no longer");
    assert_eq!(world.redeem(&ticket).await, 401);
    assert_eq!(world.redeem(&world.ticket().await).await, 200);

    clock.set_ahead(0);
    world.delivers().await;
    world.alice_is_online().await;
    // Its visibility ends ten minutes later now.
    assert!(world.received().await.is_empty());
    assert_eq!(world.redeem(&world.ticket().await).await, 200);
    world.cached().await;
    // What is sent now is not hidden behind it.
    world.send_message().await;
    assert_eq!(world.received().await, [json!(1)]);
}
