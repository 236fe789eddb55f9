//! Devices and preferences on every database: one owner per address, ten devices per user, one of
//! them the push token that other services share.

mod preferences;
mod races;
mod requests;

use serde_json::{Value, json};
use support::{Answer, Functions, token};

use crate::api::records::{On, each_database};

/// A point of P-256 and a secret, by their form.
const P256DH: &str =
    "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ";
const AUTH: &str = "BwcHBwcHBwcHBwcHBwcHBw";

async fn call(functions: &Functions, method: &str, path: &str, body: Value) -> Answer {
    let call = functions.call(method, path).token(&token("svc", "tokens:read tokens:write"));
    match body {
        Value::Null => call.send().await,
        body => call.body(body.to_string()).send().await,
    }
}

/// `PUT /users/{user}/devices/{device}`.
async fn put(functions: &Functions, user: &str, device: &str, body: Value) -> Answer {
    call(functions, "PUT", &format!("/users/{user}/devices/{device}"), body).await
}

/// `PUT /users/{user}/token`.
async fn put_token(functions: &Functions, user: &str, token: &str) -> Answer {
    call(functions, "PUT", &format!("/users/{user}/token"), json!({ "token": token })).await
}

async fn delete(functions: &Functions, user: &str, device: &str) {
    let path = format!("/users/{user}/devices/{device}");
    call(functions, "DELETE", &path, Value::Null).await.expect(204);
}

fn webpush(name: &str) -> Value {
    let endpoint = format!("https://push.example/{name}");
    let keys = json!({"p256dh": P256DH, "auth": AUTH});
    json!({"kind": "webpush", "subscription": {"endpoint": endpoint, "keys": keys}})
}

fn fcm(token: &str) -> Value {
    json!({"kind": "fcm", "token": token})
}

fn apns(token: &str) -> Value {
    json!({"kind": "apns", "token": token, "topic": "com.example.app"})
}

impl On {
    async fn devices(&self, user: &str) -> Vec<Value> {
        let path = format!("/users/{user}/devices");
        let answer = call(&self.functions, "GET", &path, Value::Null).await.expect(200);
        answer.json()["items"].as_array().unwrap().clone()
    }

    /// The names of a user's devices, with their kinds.
    async fn names(&self, user: &str) -> Vec<String> {
        let devices = self.devices(user).await.into_iter();
        let named = devices.map(|device| format!("{} {}", device["device"], device["kind"]));
        named.map(|name| name.replace('"', "")).collect()
    }

    async fn plain(&self, user: &str) -> Option<String> {
        self.redis.run_words(&["GET", &format!("user:{user}:token")]).await
    }

    /// Makes all devices of the record older.
    fn age_devices(&self, ms: i64) {
        let set = format!("SET seen_at_ms = seen_at_ms - {ms}");
        self.database.execute(&format!("UPDATE @device {set}"));
    }
}

#[tokio::test]
async fn a_device_is_registered_listed_and_removed() {
    for on in each_database().await {
        let functions = &on.functions;
        assert_eq!(on.names("alice").await, [""; 0], "{}", on.name);
        let mut phone = webpush("secret-endpoint");
        phone["locale"] = json!("pt-BR");
        phone["timeZone"] = json!("America/Sao_Paulo");
        put(functions, "alice", "phone", phone).await.expect(204);
        put(functions, "alice", "pad", apns("00FFee")).await.expect(204);
        put(functions, "alice", "car", fcm("secret-token")).await.expect(204);
        let names = on.names("alice").await;
        assert_eq!(names, ["car fcm", "pad apns", "phone webpush"], "{}", on.name);
        let path = "/users/alice/devices/phone";
        let answer = call(functions, "GET", path, Value::Null).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        let device = answer.json();
        assert_eq!(device["device"], "phone");
        assert_eq!(device["locale"], "pt-BR", "{}", on.name);
        assert_eq!(device["timeZone"], "America/Sao_Paulo", "{}", on.name);
        assert!(device["seenAt"].as_str().unwrap().starts_with("20"), "{device}");
        assert!(!answer.text().contains("secret"), "{}", answer.text());

        // Registered again: everything is replaced.
        put(functions, "alice", "phone", fcm("other")).await.expect(204);
        let device = call(functions, "GET", path, Value::Null).await.expect(200).json();
        assert_eq!(device["kind"], "fcm", "{}", on.name);
        assert!(device.get("locale").is_none(), "{}: {device}", on.name);
        for _ in 0..2 {
            delete(functions, "alice", "phone").await;
            call(functions, "GET", path, Value::Null).await.expect_problem(404, "not_found");
        }
        assert_eq!(on.names("alice").await, ["car fcm", "pad apns"], "{}", on.name);
        assert!(!functions.output().contains("secret"), "an address is in the log");
    }
}

#[tokio::test]
async fn the_default_device_is_the_push_token() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        let mut own = fcm("t1");
        own["locale"] = json!("de");
        put(functions, "alice", "default", own.clone()).await.expect(204);
        assert_eq!(on.plain("alice").await.as_deref(), Some("t1"), "{}", on.name);
        let answer = call(functions, "GET", "/users/alice/token", Value::Null).await.expect(200);
        assert_eq!(answer.json()["token"], "t1");
        let default = on.devices("alice").await.pop().unwrap();
        assert_eq!((&default["device"], &default["locale"]), (&json!("default"), &json!("de")));
        assert!(default["seenAt"].is_string(), "{default}");

        // Another token of the same device keeps what is known of it; another registration does not.
        put_token(functions, "alice", "t2").await.expect(204);
        assert_eq!(on.devices("alice").await[0]["locale"], "de", "{}", on.name);
        put(functions, "alice", "default", fcm("t3")).await.expect(204);
        assert!(on.devices("alice").await[0].get("locale").is_none(), "{}", on.name);
        put(functions, "alice", "default", own).await.expect(204);
        delete(functions, "alice", "default").await;
        assert_eq!(on.plain("alice").await, None, "{}", on.name);
        assert_eq!(on.names("alice").await, [""; 0], "{}", on.name);
        put_token(functions, "alice", "t4").await.expect(204);
        assert!(on.devices("alice").await[0].get("locale").is_none(), "{}: forgotten", on.name);

        // One that another service stored.
        let _: () = redis.run("SET user:bob:token theirs EX 1000").await;
        assert_eq!(on.devices("bob").await, [json!({"device": "default", "kind": "fcm"})]);
        for other in [webpush("x"), apns("ab")] {
            let answer = put(functions, "alice", "default", other).await;
            let answer = answer.expect_problem(400, "invalid_field");
            assert_eq!(answer.json()["field"], "kind");
        }
    }
}

#[tokio::test]
async fn an_address_has_one_owner() {
    for on in each_database().await {
        let functions = &on.functions;
        for body in [webpush("x"), apns("ab"), fcm("t")] {
            put(functions, "alice", "one", body.clone()).await.expect(204);
            put(functions, "bob", "two", body.clone()).await.expect(204);
            assert_eq!(on.names("alice").await, [""; 0], "{}: {body}", on.name);
            put(functions, "bob", "three", body.clone()).await.expect(204);
            assert_eq!(on.names("bob").await.len(), 1, "{}: {body}", on.name);
            // The same subscription with other keys is the same address.
            let mut renewed = body;
            if renewed["kind"] == "webpush" {
                renewed["subscription"]["keys"]["auth"] = json!("CAgICAgICAgICAgICAgICA");
            }
            put(functions, "alice", "one", renewed).await.expect(204);
            assert_eq!(on.names("bob").await, [""; 0], "{}", on.name);
            delete(functions, "alice", "one").await;
        }
    }
}

#[tokio::test]
async fn a_token_moves_between_push_tokens_and_devices() {
    for on in each_database().await {
        let functions = &on.functions;
        put_token(functions, "alice", "t").await.expect(204);
        put(functions, "bob", "phone", fcm("t")).await.expect(204);
        assert_eq!(on.plain("alice").await, None, "{}: at once", on.name);
        assert_eq!(on.names("alice").await, [""; 0], "{}", on.name);
        assert_eq!(on.names("bob").await, ["phone fcm"], "{}", on.name);

        // And back, also within one user, and in bulk.
        put_token(functions, "alice", "t").await.expect(204);
        assert_eq!(on.names("bob").await, [""; 0], "{}", on.name);
        put(functions, "alice", "phone", fcm("t")).await.expect(204);
        assert_eq!(on.names("alice").await, ["phone fcm"], "{}", on.name);
        assert_eq!(on.plain("alice").await, None, "{}", on.name);
        let all = json!({"tokens": [
            {"userId": "carol", "token": "t"}, {"userId": "dave", "token": "u"},
        ]});
        call(functions, "PUT", "/tokens", all).await.expect(200);
        assert_eq!(on.names("alice").await, [""; 0], "{}", on.name);
        assert_eq!(on.plain("carol").await.as_deref(), Some("t"), "{}", on.name);
        // What another service gave the old owner stays.
        let _: () = on.redis.run("SET user:carol:token theirs EX 1000").await;
        put(functions, "bob", "phone", fcm("t")).await.expect(204);
        assert_eq!(on.plain("carol").await.as_deref(), Some("theirs"), "{}", on.name);
    }
}

#[tokio::test]
async fn the_eleventh_device_is_refused() {
    for on in each_database().await {
        let functions = &on.functions;
        for at in 0..10 {
            put(functions, "alice", &format!("d{at}"), webpush(&at.to_string())).await.expect(204);
        }
        let told = |answer: Answer| {
            let answer = answer.expect_problem(400, "limit_exceeded");
            assert!(answer.text().contains("alice has 10 devices"), "{}", answer.text());
        };
        told(put(functions, "alice", "d10", webpush("10")).await);
        told(put(functions, "alice", "default", fcm("t")).await);
        told(put_token(functions, "alice", "t").await);
        let both = json!({"tokens": [
            {"userId": "bob", "token": "b"}, {"userId": "alice", "token": "t"},
        ]});
        told(call(functions, "PUT", "/tokens", both).await);
        assert_eq!(on.plain("bob").await, None, "{}: all or none", on.name);
        // One that is known, one whose address moves, and what does not grow.
        put(functions, "alice", "d0", fcm("t")).await.expect(204);
        put(functions, "alice", "d10", webpush("9")).await.expect(204);
        let names = on.names("alice").await;
        assert_eq!(names.len(), 10, "{}: {names:?}", on.name);
        put_token(functions, "alice", "t").await.expect(204);
        assert_eq!(on.names("alice").await.len(), 10, "{}", on.name);
        told(put(functions, "alice", "d0", webpush("0")).await);
        // Another token, and the push tokens of others.
        put_token(functions, "alice", "t2").await.expect(204);
        put_token(functions, "bob", "b").await.expect(204);
        delete(functions, "alice", "d1").await;
        put(functions, "alice", "d0", webpush("0")).await.expect(204);
    }
}

#[tokio::test]
async fn an_erase_leaves_no_device_and_no_preference() {
    for on in each_database().await {
        let functions = &on.functions;
        let mut own = fcm("t");
        own["timeZone"] = json!("Asia/Tokyo");
        put(functions, "alice", "default", own).await.expect(204);
        put(functions, "alice", "browser", webpush("x")).await.expect(204);
        let preferences = "/users/alice/preferences";
        call(functions, "PUT", preferences, json!({"push": false})).await.expect(204);
        let eraser = token("an operator", "ops:write");
        for _ in 0..2 {
            functions.call("DELETE", "/users/alice").token(&eraser).send().await.expect(204);
        }
        assert_eq!(on.names("alice").await, [""; 0], "{}", on.name);
        let left = call(functions, "GET", preferences, Value::Null).await.expect(200);
        assert_eq!(left.json(), json!({}), "{}", on.name);
        put_token(functions, "alice", "t").await.expect(204);
        assert!(on.devices("alice").await[0].get("timeZone").is_none(), "{}", on.name);
        put(functions, "bob", "browser", webpush("x")).await.expect(204);
    }
}

#[tokio::test]
async fn a_device_that_was_not_seen_for_long_is_kept() {
    const YEAR_MS: i64 = 365 * 24 * 3_600_000;
    for on in each_database().await {
        let functions = &on.functions;
        put(functions, "alice", "old", webpush("old")).await.expect(204);
        on.age_devices(YEAR_MS);
        let pruner = token("an operator", "ops:write");
        let answer = functions.post("/admin/prune", "").token(&pruner).send().await;
        assert_eq!(answer.expect(200).json()["pruned"], 0, "{}: its service decides", on.name);
        assert_eq!(on.names("alice").await, ["old webpush"], "{}", on.name);
    }
}
