//! What the console shows: counts, faults, a user's sockets, the fleet.

use std::time::Duration;

use redis::AsyncCommands as _;
use serde_json::{Value, json};
use shared::keys::PRESENCE_LEASES;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::console::viewer::{Viewer, get, ops, read};
use crate::console::{hub, options};
use crate::support::{Client, Hub, Options, token, until};

#[tokio::test(flavor = "multi_thread")]
async fn counts_add_up_to_what_happened_before_and_after_the_viewer_came() {
    let hub = hub().await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    let events = hub.events("alice", "", "").await;
    hub.redis.create("alice", "e1", 1).await;
    v1.notification().await;
    let mut viewer = Viewer::connect(&hub).await;
    for seq in 2..=10 {
        hub.redis.create("alice", "e1", seq).await;
    }
    hub.redis.publish(r#"{"notification":{"userId":"nobody"}}"#).await;
    hub.redis.publish("{").await;
    viewer.until("all is counted", |it| it.sum("/undelivered/unreadable") == 1).await;
    let latency = |it: &Viewer| (0..=15).map(|at| it.sum(&format!("/latency/{at}"))).sum::<u64>();
    viewer.until("all is written", |it| latency(it) == 30).await;
    assert_eq!(viewer.sum("/received"), 12);
    assert_eq!(viewer.sum("/undelivered/not_here"), 1);
    // With the welcomes and answers to handshakes.
    assert!(viewer.sum("/delivered") >= 30, "{}", viewer.sum("/delivered"));
    assert_eq!(viewer.last("/sockets"), Some(&json!({"raw": 1, "v1": 1, "sse": 1})));
    assert_eq!(viewer.last("/users"), Some(&json!(1)));
    assert_eq!(viewer.last("/redis/subscription"), Some(&json!(true)));
    assert_eq!(viewer.last("/redis/commands"), Some(&json!(true)));
    assert!(viewer.sum("/cpuMs") > 0 && viewer.sum("/ms") > 0);
    // Only what is not 0.
    assert_eq!(viewer.last("/closes"), Some(&json!({})));
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    v1.send(Message::Close(Some(frame))).await;
    raw.text().await;
    drop((raw, events));
    viewer.until("closes by code", |it| it.sum("/closes/1000") == 1).await;
    viewer.until("ends without a code", |it| it.sum("/closes/none") == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_resumes_and_gaps_are_counted_by_their_reason() {
    let hub = hub().await;
    let upgrade = "GET /ws/notifications HTTP/1.1\r\nHost: hub\r\n\r\n";
    assert_eq!(crate::support::request(hub.address, upgrade).await.status, 401);
    for seq in 1..=3 {
        hub.redis.push("alice", "e1", seq).await;
    }
    let mut back = hub.resume("alice", "?since=seq:1&epoch=e1", "bellwire.v1").await;
    back.text().await;
    let mut lost = hub.resume("alice", "?since=seq:1&epoch=e0", "bellwire.v1").await;
    lost.text().await;
    let mut viewer = Viewer::connect(&hub).await;
    viewer.until("a refusal", |it| it.sum("/refusals/unauthorized~1no_token") == 1).await;
    viewer.until("resumes", |it| it.sum("/resumes/replayed") == 1).await;
    viewer.until("a gap", |it| it.sum("/gaps") == 1 && it.sum("/resumes/gap") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_redis_shows() {
    let hub = hub().await;
    let (_v1, _) = hub.connect_v1("alice").await;
    let mut viewer = Viewer::connect(&hub).await;
    let is_heard = |it: &Viewer| it.last("/redis/subscription") == Some(&json!(true));
    viewer.until("Redis is heard", is_heard).await;
    hub.redis.kill();
    viewer.until("Redis is not heard", |it| !is_heard(it)).await;
    viewer.until("failures", |it| it.sum("/presenceFailures") > 0).await;
    // The rest is shown.
    let alice = read(&hub, "/console/users/alice").await;
    assert_eq!(alice["sockets"].as_array().map(Vec::len), Some(1));
    assert_eq!((&alice["online"], &alice["seq"]), (&Value::Null, &Value::Null));
    let fleet = get(&hub, "/console/fleet", &format!("Authorization: Bearer {}\r\n", ops())).await;
    assert_eq!((fleet.status, fleet.code().as_str()), (503, "redis_unavailable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_sockets_are_listed_with_what_waits_for_them() {
    let hub = hub().await;
    let nobody = read(&hub, "/console/users/alice").await;
    let expected =
        json!({"userId": "alice", "sockets": [], "online": false, "epoch": null, "seq": null});
    assert_eq!(nobody, expected);
    hub.redis.create("alice", "e1", 1).await;
    let (mut v1, _) = hub.connect_v1("alice").await;
    let mut raw = hub.connect("alice").await;
    let mut events = hub.events("alice", "", "").await;
    events.next().await;
    hub.until_online(&["alice"]).await;
    hub.redis.create("alice", "e1", 2).await;
    v1.notification().await;
    raw.text().await;
    let alice = read(&hub, "/console/users/alice").await;
    assert_eq!(
        (&alice["online"], &alice["epoch"], &alice["seq"]),
        (&json!(true), &json!("e1"), &json!(2))
    );
    let sockets = alice["sockets"].as_array().unwrap();
    let protocols: Vec<&str> = sockets.iter().map(|it| it["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["v1", "raw", "sse"]);
    for socket in sockets {
        assert_eq!((&socket["queuedBytes"], &socket["lastSeq"]), (&json!(0), &json!(2)), "{alice}");
        assert!(socket["ageMs"].as_u64().unwrap() < 60_000, "{alice}");
    }
    // A reader that has stopped.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let connection = socket.connect(hub.address).await.unwrap();
    let _slow = Client::connect_over(connection, &token("bob"), None).await.unwrap();
    let text = "x".repeat(16 * 1024);
    until("something waits", async || {
        let message = json!({"notification": {"userId": "bob", "text": text}});
        hub.redis.publish(&message.to_string()).await;
        let bob = read(&hub, "/console/users/bob").await;
        bob["sockets"][0]["queuedBytes"].as_u64() > Some(0)
    })
    .await;
    // The kernel's send buffer grows and may take what waits: more follows until a snapshot has it.
    let mut viewer = Viewer::connect(&hub).await;
    let waiting = |it: &Viewer| it.last("/queuedBytes").and_then(Value::as_u64) > Some(0);
    let publishing = async {
        let message = json!({"notification": {"userId": "bob", "text": text}}).to_string();
        loop {
            hub.redis.publish(&message).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = viewer.until("it shows in the total", waiting) => {}
        () = publishing => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_decoded_once_and_checked() {
    let hub = hub().await;
    let id = "a.b_c~d@e+f|g-h";
    let _socket = hub.connect(id).await;
    for path in ["a.b_c~d@e+f%7Cg-h", "a%2Eb_c~d%40e%2Bf%7cg-h"] {
        let user = read(&hub, &format!("/console/users/{path}")).await;
        assert_eq!(user["userId"], id);
        assert_eq!(user["sockets"].as_array().map(Vec::len), Some(1), "{path}");
    }
    let bearer = format!("Authorization: Bearer {}\r\n", ops());
    for (path, code) in [
        ("a%2Fb", "invalid_id"),
        ("a%252Fb", "invalid_id"),
        ("%7B", "invalid_id"),
        ("%F0%9F%94%94", "invalid_id"),
        ("%2e%2e", "invalid_path"),
        ("%FF", "invalid_path"),
        ("%0", "invalid_path"),
        (&"a".repeat(200), "invalid_id"),
    ] {
        let answer = get(&hub, &format!("/console/users/{path}"), &bearer).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{path}");
    }
    for path in ["/console/users/", "/console/users/a/b", "/console/users"] {
        assert_eq!(get(&hub, path, &bearer).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_is_every_hub_with_a_lease() {
    let hub = hub().await;
    let redis_url = Some(hub.redis.url());
    let mut other = Hub::start_with(Options { redis_url, ..options() }).await;
    let _alice = hub.connect("alice").await;
    let _bob = other.connect("bob").await;
    hub.until_online(&["alice", "bob"]).await;
    let me = Viewer::connect(&hub).await.hub["hub"].clone();
    until("both hubs and both users", async || {
        let fleet = read(&hub, "/console/fleet").await;
        let hubs = fleet["hubs"].as_array().unwrap();
        let own: Vec<&Value> = hubs.iter().filter(|it| it["self"] == json!(true)).collect();
        assert!(own.len() <= 1 && own.iter().all(|it| it["id"] == me), "{fleet}");
        own.len() == 1 && hubs.len() == 2 && fleet["onlineUsers"] == 2
    })
    .await;
    other.stop().await;
    until("one hub is left", async || {
        let fleet = read(&hub, "/console/fleet").await;
        fleet["hubs"].as_array().map(Vec::len) == Some(1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_keeps_its_id_when_redis_forgets_it() {
    let hub = hub().await;
    let _alice = hub.connect("alice").await;
    hub.until_online(&["alice"]).await;
    let me = Viewer::connect(&hub).await.hub["hub"].as_str().unwrap().to_owned();
    let leases = async || -> Vec<String> {
        hub.redis.connection().await.zrange(PRESENCE_LEASES, 0, -1).await.unwrap()
    };
    let before = leases().await;
    hub.redis.command(&["FLUSHALL"]).await;
    until("another incarnation", async || leases().await.iter().any(|id| !before.contains(id)))
        .await;
    until("the fleet was read again", async || {
        read(&hub, "/console/fleet").await["hubs"] == json!([{"self": true, "id": me}])
    })
    .await;
    assert_eq!(Viewer::connect(&hub).await.hub["hub"], me);
}
