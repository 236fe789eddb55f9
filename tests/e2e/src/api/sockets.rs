//! From the channel to every tab of the right user.

use serde_json::json;
use support::{Functions, Hub, RedisServer};

#[tokio::test]
async fn every_tab_on_every_hub_gets_exactly_the_published_bytes_and_nobody_else_anything() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let (first, second) = (Hub::start(&redis).await, Hub::start(&redis).await);
    let mut v1 = [first.connect("alice").await, second.connect("alice").await];
    let mut raw = [
        first.connect_raw("alice").await,
        first.connect_raw("alice").await,
        second.connect_raw("alice").await,
    ];
    let mut others = [first.connect("bob").await, second.connect("bob").await];
    let mut raw_other = first.connect_raw("bob").await;

    let body =
        r#"{"userId":"alice","title":"one","data":{"b":1,"a":[],"big":12345678901234567890}}"#;
    functions.create_raw(body).await.expect(201);
    functions.notify("alice", "two").await;
    let mut stored = redis.list("notifications:alice").await;
    stored.reverse();
    for socket in &mut v1 {
        assert_eq!([socket.notification().await, socket.notification().await], stored[..]);
    }
    for socket in &mut raw {
        assert_eq!([socket.text().await, socket.text().await], stored[..]);
    }
    // The first thing the others ever hear is their own.
    functions.notify("bob", "for bob").await;
    for socket in &mut others {
        assert_eq!(socket.titles(1).await, ["for bob"]);
    }
    assert!(raw_other.text().await.contains("for bob"));
}

#[tokio::test]
async fn what_another_service_publishes_is_delivered_as_it_is() {
    let redis = RedisServer::start().await;
    let hub = Hub::start(&redis).await;
    let mut seven = hub.connect_raw("7").await;
    let mut alice = hub.connect("alice").await;
    let publish =
        async |message: &str| redis.run_words::<i64>(&["PUBLISH", "notifications", message]).await;
    let garbage = [
        "",
        "not json",
        "[]",
        "17",
        "null",
        "{}",
        r#"{"notification":null}"#,
        r#"{"notification":[]}"#,
        r#"{"notification":{}}"#,
        r#"{"notification":{"title":"for nobody"}}"#,
        r#"{"notification":{"userId":null,"title":"for nobody"}}"#,
        r#"{"notification":{"userId":{"id":7},"title":"for nobody"}}"#,
        r#"{"notification":{"userId":"a b","title":"for nobody"}}"#,
        r#"{"notification":{"userId":7.5,"title":"for nobody"}}"#,
        r#"{"userId":7,"title":"not wrapped"}"#,
        "\u{0}",
    ];
    for message in garbage {
        publish(message).await;
    }
    let sevens =
        r#"{ "title":"x", "userId" : 7, "seq": 1, "nested":{"userId":"alice"}, "f":1.0e2 }"#;
    publish(&format!(r#"{{"extra":true,"notification":{sevens},"more":[1]}}"#)).await;
    assert_eq!(seven.text().await, sevens);
    let alices = r#"{"userId":"alice","seq":1,"title":"theirs"}"#;
    publish(&format!(r#"{{"notification":{alices}}}"#)).await;
    assert_eq!(alice.notification().await, alices);
    // Twice means twice: without `bw` there is no position to compare.
    publish(&format!(r#"{{"notification":{alices}}}"#)).await;
    assert_eq!(alice.notification().await, alices);
    // A `bw` that is not ours makes the message foreign, not undeliverable.
    publish(&format!(r#"{{"notification":{alices},"bw":"?"}}"#)).await;
    assert_eq!(alice.notification().await, alices);
}

#[tokio::test]
async fn foreign_and_own_messages_keep_their_order() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    let mut expected = Vec::new();
    for at in 0..5 {
        functions.notify("alice", &format!("ours {at}")).await;
        // A seq of their own meaning, far ahead and behind.
        let theirs = json!({"notification":
            {"userId": "alice", "seq": 1000 - at, "title": format!("theirs {at}")}});
        let _: i64 = redis.run_words(&["PUBLISH", "notifications", &theirs.to_string()]).await;
        expected.extend([format!("ours {at}"), format!("theirs {at}")]);
    }
    assert_eq!(socket.titles(10).await, expected);
}

#[tokio::test]
async fn a_message_that_was_published_twice_is_delivered_once() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    let published = support::Published::subscribe(&redis).await;
    for title in ["one", "two"] {
        functions.notify("alice", title).await;
    }
    for message in published.exactly(2).await {
        let _: i64 = redis.run_words(&["PUBLISH", "notifications", &message]).await;
    }
    functions.notify("alice", "three").await;
    assert_eq!(socket.titles(3).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_jump_in_seq_is_caught_up_from_the_feed() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    functions.notify("alice", "one").await;
    assert_eq!(socket.titles(1).await, ["one"]);
    // The hub's subscription misses messages: their connection is cut and comes back.
    let _: i64 = redis.run("CLIENT KILL TYPE pubsub").await;
    for title in ["two", "three", "four"] {
        functions.notify("alice", title).await;
    }
    assert_eq!(socket.titles(3).await, ["two", "three", "four"]);
}

#[tokio::test]
async fn marking_as_read_on_one_device_is_told_to_the_others() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let (first, second) = (Hub::start(&redis).await, Hub::start(&redis).await);
    let mut devices = [first.connect("alice").await, second.connect("alice").await];
    let mut raw = first.connect_raw("alice").await;
    let mut bob = first.connect("bob").await;
    let mut ids = Vec::new();
    for title in ["one", "two", "three"] {
        ids.push(functions.notify("alice", title).await["id"].clone());
    }
    for device in &mut devices {
        assert_eq!(device.titles(3).await, ["one", "two", "three"]);
    }
    for (marks, unread) in [
        (json!({"upTo": 1}), 2),
        (json!({"ids": [ids[2]]}), 1),
        // Again, and of nothing that is there: no harm, and the count is right.
        (json!({"upTo": 1}), 1),
        (json!({"ids": ["unknown"]}), 1),
        (json!({"upTo": 99}), 0),
    ] {
        let call = functions.post("/users/alice/notifications/read", marks.to_string());
        let answer = call.token(&support::token("alice", "")).send().await.expect(200);
        assert_eq!(answer.json(), json!({"unread": unread}));
        let mut frame = marks;
        frame["type"] = "read".into();
        frame["unread"] = unread.into();
        for device in &mut devices {
            assert_eq!(device.json().await, frame);
        }
        assert_eq!(functions.feed("alice").await.expect(200).json()["unread"], unread);
    }
    // A feed that Redis has lost is loaded, and then told about.
    let _: () = redis.run("FLUSHALL").await;
    functions.notify("alice", "four").await;
    for device in &mut devices {
        assert_eq!(device.titles(1).await, ["four"]);
    }
    let call = functions.post("/users/alice/notifications/read", r#"{"upTo":4}"#);
    call.token(&support::token("alice", "")).send().await.expect(200);
    for device in &mut devices {
        assert_eq!(device.json().await, json!({"type": "read", "upTo": 4, "unread": 0}));
    }
    functions.notify("bob", "for bob").await;
    assert_eq!(bob.titles(1).await, ["for bob"]);
    for title in ["one", "two", "three", "four"] {
        assert!(raw.text().await.contains(title));
    }
}

#[tokio::test]
async fn a_delete_and_an_erase_are_told_to_all_devices() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let (first, second) = (Hub::start(&redis).await, Hub::start(&redis).await);
    let mut devices = [first.connect("alice").await, second.connect("alice").await];
    let mut ids = Vec::new();
    for title in ["one", "two", "three"] {
        ids.push(functions.notify("alice", title).await["id"].clone());
    }
    let delete = async |path: &str, token: &str| {
        functions.call("DELETE", path).token(token).send().await.expect(204);
    };
    let entry = |at: usize| format!("/users/alice/notifications/{}", ids[at].as_str().unwrap());
    let own = support::token("alice", "");
    // Behind the notifications that `unread` counts. A repeat is told again.
    for _ in 0..2 {
        delete(&entry(1), &own).await;
    }
    for device in &mut devices {
        assert_eq!(device.titles(3).await, ["one", "two", "three"]);
        for _ in 0..2 {
            let frame = json!({"type": "removed", "ids": [ids[1]], "unread": 2});
            assert_eq!(device.json().await, frame);
        }
    }
    // A feed that Redis has lost: how much is unread is not known, until it is loaded.
    let _: () = redis.run("FLUSHALL").await;
    delete(&entry(2), &own).await;
    for device in &mut devices {
        let frame = json!({"type": "removed", "ids": [ids[2]], "unread": null});
        assert_eq!(device.json().await, frame);
    }
    assert_eq!(functions.feed("alice").await.expect(200).json()["unread"], 1);
    for device in &mut devices {
        device.send_text(r#"{"type":"ping"}"#).await;
        let pong = device.json().await;
        assert_eq!((&pong["type"], &pong["unread"]), (&json!("pong"), &json!(1)), "{pong}");
    }
    delete("/users/alice", &support::token("an operator", "ops:write")).await;
    for device in &mut devices {
        assert_eq!(device.json().await, json!({"type": "removed", "all": true, "unread": 0}));
    }
    functions.notify("alice", "four").await;
    for device in &mut devices {
        assert_eq!(device.titles(1).await, ["four"]);
    }
}

#[tokio::test]
async fn handshakes_without_the_right_token_are_refused() {
    let redis = RedisServer::start().await;
    let hub = Hub::start(&redis).await;
    let handshake = async |name: &'static str, value: &str| {
        let mut request = hub.request("");
        request.headers_mut().insert(name, value.parse().unwrap());
        hub.handshake(request).await.map(|socket| socket.protocol)
    };
    let good = support::token("alice", "");
    let expired = support::Jwt::of("alice").expires_in(-100).sign(support::jwt::KEY);
    let unsigned = support::Jwt::of("alice").unsigned();
    assert_eq!(hub.handshake(hub.request("")).await.err(), Some(401));
    for bad in [expired.as_str(), unsigned.as_str(), "x"] {
        assert_eq!(handshake("authorization", &format!("Bearer {bad}")).await, Err(401));
        let offered = format!("bellwire.v1, bearer.{bad}");
        assert_eq!(handshake("sec-websocket-protocol", &offered).await, Err(401));
    }
    let in_url = hub.request(&format!("access_token={good}"));
    assert!(matches!(hub.handshake(in_url).await.err(), Some(400 | 401)));
    // The token travels in the list of subprotocols, and is never echoed.
    let offered = format!("bearer.{good}, bellwire.v1");
    let chosen = handshake("sec-websocket-protocol", &offered).await;
    assert_eq!(chosen, Ok(Some("bellwire.v1".to_owned())));
    let only_token = format!("bearer.{good}");
    assert_eq!(handshake("sec-websocket-protocol", &only_token).await, Err(400));
}
