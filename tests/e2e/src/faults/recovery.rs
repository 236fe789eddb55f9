//! Redis and the functions lost in the middle of steady traffic: every 201 is in the record, in the
//! feed, and at its user's client once and in order. What [`Load::check`] looks at.

use std::time::Duration;

use serde_json::json;
use support::{Functions, Hub, Proxy, RedisServer, eventually, token};
use tokio::time::{Instant, sleep};

use crate::faults::load::{Load, Plan, until_nothing_is_pending};

const SECOND: Duration = Duration::from_secs(1);

/// Fewer entries per user than a feed window: nobody may be told of a gap.
fn short(length: Duration, rest_after: Duration) -> Plan {
    Plan { users: 10, busy_every: 0, creates_per_s: 100, length, rest_after }
}

#[tokio::test]
async fn redis_dead_for_ten_seconds_under_two_hundred_creates_a_second() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start_with_relay(&redis, &functions).await;
    // 90 at most for each of the thirty, so that a feed window holds whatever of it is pending; 750
    // for
    // `busy`.
    let plan = Plan {
        users: 30,
        busy_every: 4,
        creates_per_s: 200,
        length: 15 * SECOND,
        rest_after: 12 * SECOND,
    };
    let load = Load::prepare(&functions, &hub, plan).await;
    tokio::join!(load.run(), async {
        sleep(2 * SECOND).await;
        redis.kill();
        sleep(10 * SECOND).await;
        redis.restart().await;
    });
    assert_eq!(load.unanswered(), 0);
    assert!(load.pending("u1") > 10, "{}", load.pending("u1"));
    assert!(load.pending("busy") > 100, "{}", load.pending("busy"));
    assert!(load.check(&redis).await > 0, "beyond a feed window the client is told");
}

#[tokio::test]
async fn a_redis_that_is_emptied_again_and_again_under_load() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start_with_relay(&redis, &functions).await;
    let load = Load::prepare(&functions, &hub, short(4 * SECOND, 2 * SECOND)).await;
    tokio::join!(load.run(), async {
        for _ in 0..6 {
            sleep(SECOND / 2).await;
            let _: () = redis.run("FLUSHALL").await;
        }
    });
    assert_eq!(load.unanswered(), 0);
    load.check(&redis).await;
}

/// Functions and a hub that reach `redis` by way of a proxy.
async fn behind_a_proxy(redis: &RedisServer) -> (Proxy, Functions, Hub) {
    let proxy = Proxy::to(&redis.address()).await;
    let functions = Functions::with(redis).redis_at(&proxy.address()).start().await;
    let hub = Hub::start_at(&proxy.address(), &functions).await;
    (proxy, functions, hub)
}

#[tokio::test]
async fn a_failover_to_an_empty_redis_under_load() {
    let (primary, empty) = (RedisServer::start().await, RedisServer::start().await);
    let (proxy, functions, hub) = behind_a_proxy(&primary).await;
    let load = Load::prepare(&functions, &hub, short(5 * SECOND, 3 * SECOND)).await;
    tokio::join!(load.run(), async {
        sleep(SECOND).await;
        proxy.cut();
        primary.kill();
        sleep(2 * SECOND).await;
        proxy.lead_to(&empty.address());
    });
    assert_eq!(load.unanswered(), 0);
    assert!(load.pending("u1") > 0);
    load.check(&empty).await;
}

#[tokio::test]
async fn a_failover_to_an_older_replica_under_load() {
    let (primary, replica) = (RedisServer::start().await, RedisServer::start().await);
    let (proxy, functions, hub) = behind_a_proxy(&primary).await;
    let load = Load::prepare(&functions, &hub, short(6 * SECOND, 2 * SECOND)).await;
    replica.replicate(&primary).await;
    tokio::join!(load.run(), async {
        sleep(SECOND).await;
        // From here on it misses everything.
        replica.promote().await;
        sleep(SECOND).await;
        let lost = primary.list("notifications:u1").await.len()
            - replica.list("notifications:u1").await.len();
        assert!(lost > 0, "the replica is older");
        proxy.cut();
        primary.kill();
        sleep(SECOND).await;
        proxy.lead_to(&replica.address());
    });
    assert_eq!(load.unanswered(), 0);
    load.check(&replica).await;
}

#[tokio::test]
async fn an_older_replica_gets_what_it_missed_without_any_create() {
    let (primary, replica) = (RedisServer::start().await, RedisServer::start().await);
    let (proxy, functions, hub) = behind_a_proxy(&primary).await;
    let mut socket = hub.connect("alice").await;
    functions.notify("alice", "one").await;
    replica.replicate(&primary).await;
    replica.promote().await;
    for title in ["two", "three"] {
        assert_eq!(functions.notify("alice", title).await["delivery"], "sent");
    }
    assert_eq!(socket.titles(3).await, ["one", "two", "three"]);
    // Noted as sent, so that only the other run id tells that something may be missing.
    until_nothing_is_pending(&functions).await;
    proxy.cut();
    primary.kill();
    proxy.lead_to(&replica.address());
    eventually("the relay brings the rest", async || {
        (replica.list("notifications:alice").await.len() == 3).then_some(())
    })
    .await;
    assert_eq!(functions.titles("alice").await, ["three", "two", "one"]);
    functions.notify("alice", "four").await;
    assert_eq!(socket.titles(1).await, ["four"]);
}

/// From the moment that the functions reach Redis again.
const LAST_FRAME_LIMIT: Duration = Duration::from_secs(10);

/// The hub is back first, so that its first call of the relay finds the functions without Redis;
/// and what was lost had been noted as sent, so that nothing but the relay brings it back.
#[tokio::test]
async fn after_failovers_to_older_replicas_the_last_frames_come_within_seconds() {
    let mut primary = RedisServer::start().await;
    let proxy = Proxy::to(&primary.address()).await;
    let functions = Functions::with(&primary).redis_at(&proxy.address()).start().await;
    let hubs_proxy = Proxy::to(&primary.address()).await;
    let hub = Hub::start_at(&hubs_proxy.address(), &functions).await;
    let mut socket = hub.connect("alice").await;
    for round in 0..3 {
        let replica = RedisServer::start().await;
        let heard = format!("heard {round}");
        functions.notify("alice", &heard).await;
        assert_eq!(socket.titles(1).await, [heard]);
        replica.replicate(&primary).await;
        replica.promote().await;
        hubs_proxy.cut();
        let lost = format!("lost {round}");
        assert_eq!(functions.notify("alice", &lost).await["delivery"], "sent");
        until_nothing_is_pending(&functions).await;
        proxy.cut();
        primary.kill();
        let failures = || functions.output().matches(r#""event":"request_failed""#).count();
        let before = failures();
        hubs_proxy.lead_to(&replica.address());
        eventually("the relay is called in vain", async || (failures() > before).then_some(()))
            .await;
        proxy.lead_to(&replica.address());
        let back = Instant::now();
        let frame = socket.text_within(6 * LAST_FRAME_LIMIT).await;
        assert!(frame.contains(&lost), "{frame}");
        assert!(back.elapsed() < LAST_FRAME_LIMIT, "{:?} in round {round}", back.elapsed());
        primary = replica;
    }
}

#[tokio::test]
async fn a_host_killed_between_commit_and_push_under_load() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(&redis.address()).await;
    let functions = Functions::with(&redis).redis_at(&proxy.address()).start().await;
    let hub = Hub::start(&redis).await;
    let load = Load::prepare(&functions, &hub, short(4 * SECOND, 5 * SECOND / 4)).await;
    tokio::join!(load.run(), async {
        sleep(SECOND).await;
        proxy.hold();
        let pushed = redis.list("notifications:u1").await.len() as i64;
        eventually("commits wait for their delivery", async || {
            (functions.record.seq("u1") > pushed + 1 && proxy.held_bytes() > 0).then_some(())
        })
        .await;
        functions.kill();
        // What was under way is lost with its connections.
        proxy.cut();
        proxy.release();
        functions.restart().await;
    });
    assert!(load.unanswered() > 0);
    until_nothing_is_pending(&functions).await;
    load.check(&redis).await;
}

#[tokio::test]
async fn a_create_whose_host_died_before_the_push_is_repeated_with_its_key_and_arrives_once() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(&redis.address()).await;
    let functions = Functions::with(&redis).redis_at(&proxy.address()).start().await;
    let hub = Hub::start(&redis).await;
    let mut sockets = [hub.connect("alice").await, hub.connect("bob").await];
    let create = |user: &str| {
        let body = json!({"userId": user, "title": "one"}).to_string();
        let call = functions.post("/notifications", body);
        call.token(&token("mailer", "notifications:write")).header("idempotency-key", user)
    };
    functions.notify("carol", "warm").await;
    proxy.hold();
    let (alice, bob, ()) =
        tokio::join!(create("alice").try_send(), create("bob").try_send(), async {
            eventually("both are committed", async || {
                let seqs = ["alice", "bob"].map(|user| functions.record.seq(user));
                (seqs == [1, 1] && proxy.held_bytes() > 0).then_some(())
            })
            .await;
            functions.kill();
        });
    assert!(alice.is_err() && bob.is_err(), "nobody was answered");
    proxy.cut();
    proxy.release();
    functions.restart().await;
    assert!(redis.list("notifications:alice").await.is_empty(), "nothing was appended");

    // Alice's service tries again; of bob's nothing is heard any more.
    let again = create("alice").send().await.expect(201).json();
    assert_eq!((&again["seq"], &again["delivery"]), (&1.into(), &"sent".into()));
    assert_eq!(again["id"], functions.record.ids("alice")[0].as_str());
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
    for (user, socket) in ["alice", "bob"].into_iter().zip(&mut sockets) {
        assert_eq!(socket.titles(1).await, ["one"]);
        functions.notify(user, "two").await;
        assert_eq!(socket.titles(1).await, ["two"]);
        assert_eq!(functions.titles(user).await, ["two", "one"]);
    }
}
