//! The bridge: existing services publish on the channel of all users, and hubs hear those of their
//! own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ::support::process::Signal;
use ::support::{eventually_within, ports};
use hub::config::Pace;
use serde_json::json;
use shared::live::Live;
use tokio::net::TcpStream;

use crate::support::program::Program;
use crate::support::{Client, Gateway, Hub, Options, RedisServer, request, token, until};

fn bridge() -> Options {
    Options {
        live: Live::Bridge,
        pace: Pace { bridge_lease: Duration::from_millis(600), ..Pace::default() },
        metrics_token: Some("scrape".to_owned()),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_services_reach_the_users_and_nothing_comes_twice() {
    let hub = Hub::start_with(bridge()).await;
    let mut gateway = Gateway::start(&hub.redis).await;
    let (mut alice, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    until("the bridge listens", async || hub.metric("bridge").await == 1.0).await;
    // It takes a moment from there to the subscription.
    until("the bridge has subscribed", async || {
        let count: Vec<String> = hub.redis.run("PUBSUB NUMSUB notifications").await;
        count[1] == "2"
    })
    .await;
    gateway.call(json!(["open", "alice"])).await;
    let theirs = json!({"userId": "alice", "text": "theirs"});
    gateway.call(json!(["notify", theirs])).await;
    assert_eq!(alice.notification().await, theirs.to_string());
    assert_eq!(raw.text().await, theirs.to_string());
    // An older service; the same message twice is two messages.
    let foreign = r#"{"userId":"alice","data":{"e":[ ]},"n":12345678901234567890 }"#;
    for _ in 0..2 {
        let message = format!(r#"{{ "notification":{foreign},"other":1}}"#);
        hub.redis.publish_to_all(&message).await;
        assert_eq!(raw.text().await, foreign);
        assert_eq!(alice.notification().await, foreign);
    }
    // It begins like Bellwire's own event, which would empty the list.
    let posing = r#"{"type":"removed","userId":"alice","all":true,"unread":0,"notification":{"userId":"alice","p":1}}"#;
    hub.redis.publish_to_all(posing).await;
    assert_eq!(raw.text().await, r#"{"userId":"alice","p":1}"#);
    assert_eq!(alice.notification().await, r#"{"userId":"alice","p":1}"#);
    // The functions publish on both channels.
    let ours = hub.redis.create("alice", "e1", 1).await;
    let bw = r#"{"epoch":"e1","seq":1}"#;
    hub.redis.publish_to_all(&format!(r#"{{"notification":{ours},"bw":{bw}}}"#)).await;
    for nonsense in ["{", r#"{"notification":{}}"#] {
        hub.redis.publish_to_all(nonsense).await;
    }
    hub.redis.publish_to_all(r#"{"notification":{"userId":"alice","last":1}}"#).await;
    assert_eq!(raw.text().await, ours);
    assert_eq!(raw.text().await, r#"{"userId":"alice","last":1}"#);
    until("everything is counted", async || {
        hub.metric(r#"bridged_total{outcome="forwarded"}"#).await == 5.0
            && hub.metric(r#"bridged_total{outcome="ours"}"#).await == 1.0
            && hub.metric(r#"bridged_total{outcome="unreadable"}"#).await == 2.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_hands_the_bridge_to_another() {
    let mut first = Hub::start_with(bridge()).await;
    until("the first hub bridges", async || first.metric("bridge").await == 1.0).await;
    let (holder, url) = (first.redis.run::<String>("GET bw:bridge").await, first.redis.url());
    let options = Options { redis_url: Some(url), ..bridge() };
    let second = Hub::start_on(RedisServer::prepare(), options).await;
    second.until_ready().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(second.metric("bridge").await, 0.0, "only one hub bridges");
    first.stop().await;
    until("the second hub bridges", async || second.metric("bridge").await == 1.0).await;
    let next: String = first.redis.run("GET bw:bridge").await;
    assert_ne!(next.split(':').next(), holder.split(':').next());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_another_service_wrote_is_taken_over() {
    let hub = Hub::start_with(bridge()).await;
    until("the hub bridges", async || hub.metric("bridge").await == 1.0).await;
    // In one step: the hub renews its lease all the time.
    let write = "redis.call('DEL', KEYS[1]) return redis.call(ARGV[1], KEYS[1], 'theirs:1')";
    for command in ["SET", "LPUSH"] {
        hub.redis.run_words::<()>(&["EVAL", write, "1", "bw:bridge", command]).await;
        until("the hub bridges again", async || {
            let left_ms: i64 = hub.redis.run("PTTL bw:bridge").await;
            left_ms > 0 && hub.metric("bridge").await == 1.0
        })
        .await;
    }
}

/// Two hubs, and where their metrics are.
struct Fleet {
    redis: RedisServer,
    hubs: [(Program, u16); 2],
}

impl Fleet {
    async fn start() -> Self {
        let mut redis = RedisServer::start().await;
        redis.live = Live::Bridge;
        let start = async || {
            let port = ports::free();
            let listen = format!("--metrics-listen=127.0.0.1:{port}");
            let setup = Program::with(&redis).arguments(&["--live=bridge", "--log=off", &listen]);
            let program = Program::start_with(setup).await;
            program.ready().await;
            (program, port)
        };
        let hubs = [start().await, start().await];
        Self { redis, hubs }
    }

    /// The place of the hub that forwards.
    async fn bridge(&self) -> usize {
        eventually_within(Duration::from_secs(15), "a hub forwards", async || {
            for (at, (_, port)) in self.hubs.iter().enumerate() {
                if is_bridge(*port).await {
                    return Some(at);
                }
            }
            None
        })
        .await
    }
}

/// Whether the hub with these metrics forwards; a killed one does not.
async fn is_bridge(port: u16) -> bool {
    if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        return false;
    }
    let text = "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n";
    request(([127, 0, 0, 1], port).into(), text).await.body.contains("bellwire_hub_bridge 1")
}

/// Fewer than a feed's 100 entries in the time that a takeover needs.
const PERIOD: Duration = Duration::from_millis(120);

/// What was published: the last number, and how many messages alice has to get.
struct Published {
    last: usize,
    for_alice: usize,
}

/// Another service that publishes numbers for two users, and appends alice's to her feed first;
/// Bellwire's entries come in between. The last messages follow once alice, who has `seen` so many, has
/// all of hers.
async fn publish_numbers(redis: &RedisServer, stop: &AtomicBool, seen: &AtomicUsize) -> Published {
    let mut ticks = tokio::time::interval(PERIOD);
    let (mut last, mut seq) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        last += 1;
        for user in ["alice", "bob"] {
            let notification = format!(r#"{{"userId":"{user}","n":{last}}}"#);
            if user == "alice" {
                redis.command(&["LPUSH", "notifications:alice", &notification]).await;
            }
            redis.publish_to_all(&format!(r#"{{"notification":{notification}}}"#)).await;
        }
        if last % 3 == 0 {
            seq += 1;
            redis.create("alice", "e1", seq).await;
        }
    }
    let for_alice = last + usize::try_from(seq).unwrap();
    let all = async || (seen.load(Ordering::SeqCst) >= for_alice).then_some(());
    // What is missing is reported later.
    let _ = tokio::time::timeout(Duration::from_secs(10), poll(all)).await;
    for user in ["alice", "bob"] {
        let notification = format!(r#"{{"userId":"{user}","end":true}}"#);
        redis.publish_to_all(&format!(r#"{{"notification":{notification}}}"#)).await;
    }
    Published { last, for_alice }
}

async fn poll(condition: impl AsyncFn() -> Option<()>) {
    eventually_within(Duration::from_secs(60), "a condition", condition).await;
}

/// Counts how often each message arrives, until the last one.
async fn count(mut client: Client, seen: &AtomicUsize) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    loop {
        let frame = client.json().await;
        if frame["end"] == true {
            return counts;
        }
        let name = match frame["n"].as_i64() {
            Some(n) => format!("n{n}"),
            None => format!("e{}", frame["seq"]),
        };
        *counts.entry(name).or_default() += 1;
        seen.store(counts.len(), Ordering::SeqCst);
    }
}

/// Nothing arrived twice.
fn check_doubles(user: &str, counts: &BTreeMap<String, u32>) {
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{user} has doubled: {doubled:?}");
}

/// Runs `fault` on the hub that forwards while sockets on the other one count. What is also in a feed
/// arrives; of the rest, what was published while no hub forwarded is lost.
async fn with_fault(fault: impl AsyncFnOnce(&Fleet, usize)) {
    let fleet = Fleet::start().await;
    let at = fleet.bridge().await;
    until("it has subscribed", async || {
        let count: Vec<String> = fleet.redis.run("PUBSUB NUMSUB notifications").await;
        count[1] == "1"
    })
    .await;
    let other = &fleet.hubs[1 - at].0;
    let connect = async |user| Client::connect(other.address(), &token(user), None).await.unwrap();
    let (alice, bob) = (connect("alice").await, connect("bob").await);
    let stop = AtomicBool::new(false);
    let faulting = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        fault(&fleet, at).await;
        stop.store(true, Ordering::SeqCst);
    };
    let (seen, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let publishing = publish_numbers(&fleet.redis, &stop, &seen);
    let (published, alice, bob, ()) =
        tokio::join!(publishing, count(alice, &seen), count(bob, &others), faulting);
    check_doubles("alice", &alice);
    check_doubles("bob", &bob);
    let is_missing = |n: &usize| !alice.contains_key(&format!("n{n}"));
    let missing: Vec<_> = (1..=published.last).filter(is_missing).collect();
    assert!(missing.is_empty(), "alice misses {missing:?} of {}", published.last);
    assert_eq!(alice.len(), published.for_alice, "{alice:?}");
    // The lease, the margin, and two turns of the other hub.
    let lost = PERIOD * u32::try_from(published.last - bob.len()).unwrap();
    eprintln!("{lost:?} of what was only published are lost");
    assert!(Duration::ZERO < lost && lost <= Duration::from_secs(6), "bob misses {lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_also_in_a_feed_survives_a_killed_bridge_and_comes_once() {
    with_fault(async |fleet, at| {
        fleet.hubs[at].0.kill();
        let start = Instant::now();
        assert_eq!(fleet.bridge().await, 1 - at);
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        tokio::time::sleep(Duration::from_secs(2)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_also_in_a_feed_survives_a_suspended_bridge_and_comes_once() {
    with_fault(async |fleet, at| {
        fleet.hubs[at].0.signal(Signal::STOP);
        let other = fleet.hubs[1 - at].1;
        eventually_within(Duration::from_secs(10), "the other hub forwards", async || {
            is_bridge(other).await.then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        fleet.hubs[at].0.signal(Signal::CONT);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(fleet.bridge().await, 1 - at);
    })
    .await;
}
