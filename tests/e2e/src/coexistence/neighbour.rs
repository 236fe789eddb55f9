//! An existing service in Node beside Bellwire: every key of the layout, both directions. The service
//! is a process of its own that dies of what it cannot read.

use serde_json::{Value, json};
use support::{Answer, Functions, Gateway, Hub, RedisServer, eventually, token};

use crate::api::cache::World;

const SCOPES: &str =
    "cache:read campaigns:write presence:read queues:write tokens:read tokens:write";

async fn call(functions: &Functions, method: &str, path: &str, body: Value) -> Answer {
    let call = functions.call(method, path).token(&token("svc", SCOPES));
    match body {
        Value::Null => call.send().await,
        body => call.body(body.to_string()).send().await,
    }
}

#[tokio::test]
async fn feeds_and_the_channel_are_one() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut gateway = Gateway::start(&redis).await;
    gateway.call(json!(["open", "alice"])).await;
    let mut socket = hub.connect_raw("alice").await;
    // Theirs before there is anything of ours.
    let theirs = json!({"userId": "alice", "title": "theirs", "id": 1});
    gateway.call(json!(["notify", theirs])).await;
    assert_eq!(socket.text().await, theirs.to_string());
    // Ours: one delivery to their tabs, and the feed they read is the one that we answer.
    let ours = functions.notify("alice", "ours").await;
    let sent: Value = serde_json::from_str(&socket.text().await).unwrap();
    assert_eq!(sent["id"], ours["id"]);
    let received = eventually("their tab has both", async || {
        let received = gateway.call(json!(["received", "alice"])).await;
        (received.as_array().unwrap().len() == 2).then_some(received)
    })
    .await;
    assert_eq!(received, json!([theirs, sent]));
    assert_eq!(gateway.call(json!(["feed", "alice"])).await, json!([sent, theirs]));
    assert_eq!(functions.titles("alice").await, ["ours", "theirs"]);
    // An integer is its decimal text.
    let mut seven = hub.connect_raw("7").await;
    gateway.call(json!(["notify", {"userId": 7, "title": "seven"}])).await;
    assert_eq!(seven.text().await, r#"{"title":"seven","userId":7}"#);
    assert_eq!(functions.titles("7").await, ["seven"]);
}

#[tokio::test]
async fn who_is_online_is_one_set() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut gateway = Gateway::start(&redis).await;
    let _alice = hub.connect("alice").await;
    gateway.call(json!(["open", "bob"])).await;
    eventually("both see both", async || {
        let online = gateway.call(json!(["online"])).await;
        (online.as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    let ask = json!({"userIds": ["alice", "bob", "carol"]});
    let answer = call(&functions, "POST", "/presence", ask).await.expect(200).json();
    assert_eq!(answer, json!({"online": {"alice": true, "bob": true, "carol": false}}));
    gateway.call(json!(["close", "bob"])).await;
    let bob = call(&functions, "GET", "/presence/bob", Value::Null).await.expect(200).json();
    assert_eq!(bob["online"], false);
}

#[tokio::test]
async fn cached_values_are_plain_json_on_both_sides() {
    let World { redis, origin, functions } = World::start().await;
    let mut gateway = Gateway::start(&redis).await;
    let theirs = json!({"theirs": [], "n": 1});
    gateway.call(json!(["cache", "fresh", theirs, 60])).await;
    let answer = functions.get("/cache/fresh").send().await.expect(200).json();
    assert_eq!((answer, origin.count()), (theirs, 0));
    let ours = functions.get("/cache/item/7").send().await.expect(200).json();
    assert_eq!(gateway.call(json!(["cached", "item:7"])).await, ours);
    assert!(gateway.call(json!(["ttl", "item:7"])).await.as_i64().unwrap() > 0);
    assert_eq!(gateway.call(json!(["cached", "item:8"])).await, Value::Null);
}

#[tokio::test]
async fn push_tokens_are_plain_strings_on_both_sides() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let mut gateway = Gateway::start(&redis).await;
    call(&functions, "PUT", "/users/alice/token", json!({"token": "t1"})).await.expect(204);
    assert_eq!(gateway.call(json!(["token", "alice"])).await, "t1");
    let ttl = gateway.call(json!(["ttl", "user:alice:token"])).await.as_i64().unwrap();
    assert!(ttl > 269 * 86400, "{ttl}");
    gateway.call(json!(["setToken", "bob", "t2"])).await;
    let bob = call(&functions, "GET", "/users/bob/token", Value::Null).await.expect(200).json();
    assert_eq!(bob, json!({"userId": "bob", "token": "t2"}));
}

#[tokio::test]
async fn campaigns_and_queues_are_plain_lists_on_both_sides() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let mut gateway = Gateway::start(&redis).await;
    let [one, two] = [json!({"userId": "a", "fcmToken": "t"}), json!({"userId": "b"})];
    let users = json!({"users": [one]});
    call(&functions, "PUT", "/campaigns/c1/users", users).await.expect(200);
    gateway.call(json!(["push", "campaign:c1", two])).await;
    assert_eq!(gateway.call(json!(["pop", "campaign:c1"])).await, one);
    let next = call(&functions, "POST", "/campaigns/c1/next?count=5", Value::Null).await;
    assert_eq!(next.expect(200).json(), json!({"users": [two], "remaining": 0}));

    let responses = json!({"responses": [{"ours": 1}]});
    call(&functions, "POST", "/campaigns/c1/responses", responses).await.expect(200);
    gateway.call(json!(["push", "campaign:c1:responses", {"theirs": 2}])).await;
    let page = call(&functions, "GET", "/campaigns/c1/responses", Value::Null).await.expect(200);
    assert_eq!(page.json()["items"], json!([{"ours": 1}, {"theirs": 2}]));
    assert_eq!(gateway.call(json!(["pop", "campaign:c1:responses"])).await, json!({"ours": 1}));

    let queue = "/queues/notification:responses";
    gateway.call(json!(["push", "notification:responses", {"theirs": []}])).await;
    let messages = json!({"messages": [{"ours": []}]});
    call(&functions, "POST", &format!("{queue}/messages"), messages).await.expect(200);
    let receive = json!({"max": 1, "visibilitySeconds": 30});
    let got = call(&functions, "POST", &format!("{queue}/receive"), receive).await.expect(200);
    assert_eq!(got.json()["messages"][0]["payload"], json!({"theirs": []}));
    let popped = gateway.call(json!(["pop", "notification:responses"])).await;
    assert_eq!(popped, json!({"ours": []}));
    assert_eq!(gateway.call(json!(["length", "notification:responses"])).await, 0);
}
