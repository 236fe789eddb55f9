//! The variable `live`: on which channels a user's notifications, read marks and removals are
//! published. The bytes are the same on each.

use serde_json::{Value, json};
use shared::UserId;
use shared::keys::live_channel;
use support::{Functions, Hub, OwnChannel, Published, RedisServer, token};

fn channel(user: &str) -> String {
    live_channel(&UserId::parse(user).unwrap())
}

async fn functions(redis: &RedisServer, live: &str) -> Functions {
    Functions::with(redis).variable("live", live).start().await
}

/// A create, a muted one, a read mark, a delete and an erase.
async fn act(functions: &Functions) {
    let entry = functions.notify("alice", "one").await;
    mute(functions).await;
    functions.create(&of_kind("like")).await.expect(201);
    let read = functions.post("/users/alice/notifications/read", "{\"upTo\":1}");
    read.token(&token("alice", "")).send().await.expect(200);
    let path = format!("/users/alice/notifications/{}", entry["id"].as_str().unwrap());
    functions.call("DELETE", &path).token(&token("alice", "")).send().await.expect(204);
    functions.notify("bob", "not for alice").await;
    let erased = functions.call("DELETE", "/users/alice").token(&token("op", "ops:write"));
    erased.send().await.expect(204);
}

/// Alice does not want the kind `like` in the feed.
async fn mute(functions: &Functions) {
    let put = functions.call("PUT", "/users/alice/preferences").token(&token("alice", ""));
    put.body(r#"{"kinds":{"like":{"feed":false}}}"#).send().await.expect(204);
}

fn of_kind(kind: &str) -> Value {
    json!({"userId": "alice", "title": kind, "kind": kind})
}

fn kinds(messages: &[String]) -> Vec<String> {
    let kind = |text: &String| {
        let message: Value = serde_json::from_str(text).unwrap();
        assert_eq!(message.get("type").is_some(), text.starts_with("{\"type\":"));
        message["type"].as_str().unwrap_or("notification").to_owned()
    };
    messages.iter().map(kind).collect()
}

const KINDS: [&str; 5] = ["notification", "muted", "read", "removed", "removed"];

#[tokio::test]
async fn own_channels_alone() {
    let redis = RedisServer::start().await;
    let functions = functions(&redis, "own").await;
    functions.get("/readyz").send().await.expect(200);
    let own = OwnChannel::subscribe(&redis, &channel("alice")).await;
    let common = Published::subscribe(&redis).await;
    act(&functions).await;
    assert_eq!(kinds(&own.exactly(5).await), KINDS);
    common.exactly(0).await;
    assert_eq!(redis.calls("publish").await, 0);
}

#[tokio::test]
async fn both_channels_with_the_same_bytes() {
    let redis = RedisServer::start().await;
    let functions = functions(&redis, "bridge").await;
    let own = OwnChannel::subscribe(&redis, &channel("alice")).await;
    let (common, events) = (Published::subscribe(&redis).await, Published::events(&redis).await);
    act(&functions).await;
    let own = own.exactly(5).await;
    assert_eq!(kinds(&own), KINDS);
    // The second one is bob's.
    assert_eq!(common.exactly(2).await[..1], own[..1]);
    assert_eq!(events.exactly(4).await, own[1..]);
}

#[tokio::test]
async fn the_common_channels_alone() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let events = Published::events(&redis).await;
    act(&functions).await;
    assert_eq!(kinds(&events.exactly(4).await), KINDS[1..]);
    assert_eq!(redis.calls("spublish").await, 0);
}

/// The relay publishes what was denied, once on each channel.
#[tokio::test]
async fn a_denied_channel_is_named_and_nothing_is_published_twice() {
    let redis = RedisServer::start().await;
    // A user of their own: Redis disconnects subscribers that lose a channel.
    redis.run::<()>("ACL SETUSER functions on >secret allkeys allchannels +@all").await;
    let url = format!("redis://functions:secret@{}", redis.address());
    let setup = Functions::with(&redis).variable("redis_url", url).variable("live", "bridge");
    let functions = setup.start().await;
    let own = OwnChannel::subscribe(&redis, &channel("alice")).await;
    let common = Published::subscribe(&redis).await;
    functions.notify("alice", "one").await;
    for allowed in ["&notifications", "&bw:live:*"] {
        redis.run::<()>(&format!("ACL SETUSER functions resetchannels {allowed}")).await;
        let body = json!({"userId": "alice", "title": allowed});
        let answer = functions.create(&body).await.expect(201).json();
        assert_eq!(answer["delivery"], "pending", "{answer}");
        let ready = functions.get("/readyz").send().await.expect_problem(503, "not_ready");
        let detail = ready.json()["detail"].as_str().unwrap().to_owned();
        let denied =
            if allowed == "&notifications" { "SPUBLISH on bw:live" } else { "PUBLISH on " };
        assert!(detail.contains(denied), "{detail}");
    }
    redis.run::<()>("ACL SETUSER functions allchannels").await;
    functions.relay().await.expect(200);
    assert_eq!(common.exactly(3).await, own.exactly(3).await);
    assert_eq!(functions.titles("alice").await, ["&bw:live:*", "&notifications", "one"]);
}

/// The whole way: no frame for a muted one, no gap beside it, and no message for existing services.
#[tokio::test]
async fn a_muted_notification_reaches_no_socket() {
    for live in ["all", "own", "bridge"] {
        let redis = RedisServer::start().await;
        let functions = functions(&redis, live).await;
        let hub = Hub::with(&redis.url()).arguments(&[&format!("--live={live}")]).start().await;
        hub.ready().await;
        let common = Published::subscribe(&redis).await;
        mute(&functions).await;
        functions.create(&of_kind("first")).await.expect(201);
        let (mut v1, mut raw) = (hub.connect("alice").await, hub.connect_raw("alice").await);
        for kind in ["like", "note", "like", "like", "last", "like"] {
            functions.create(&of_kind(kind)).await.expect(201);
        }
        assert_eq!(v1.titles(2).await, ["note", "last"], "{live}");
        for title in ["note", "last"] {
            assert_eq!(raw.json().await["title"], title, "{live}");
        }
        // The position is that of the muted one, and says what is unread.
        v1.send_text(r#"{"type":"ping"}"#).await;
        let pong = v1.json().await;
        assert_eq!(
            (&pong["type"], &pong["seq"], &pong["unread"]),
            (&json!("pong"), &json!(7), &json!(3)),
            "{live}"
        );
        assert!(raw.is_silent().await, "{live}");
        let epoch = pong["epoch"].as_str().unwrap();
        let mut late =
            hub.open("alice", "bellwire.v1", &format!("since=seq:1&epoch={epoch}")).await;
        assert_eq!(late.json().await["seq"], 7, "{live}");
        assert_eq!(late.titles(2).await, ["note", "last"], "{live}");
        assert!(late.is_silent().await, "{live}");
        common.exactly(if live == "own" { 0 } else { 3 }).await;
    }
}
