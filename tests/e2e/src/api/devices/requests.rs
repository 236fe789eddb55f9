//! Who may do what with devices, and what is none.

use serde_json::{Value, json};
use support::{Functions, RedisServer, token};

use super::{call, fcm, put, webpush};
use crate::api::limits::refuses_more_than;

#[tokio::test]
async fn devices_are_for_their_owners_and_for_services() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let send = async |method: &str, path: &str, sub: &str, scope: &str| {
        let call = functions.call(method, path).token(&token(sub, scope));
        let body = match path.contains("/devices") {
            true => r#"{"kind":"fcm","token":"phone"}"#,
            false => "{}",
        };
        if method == "PUT" { call.body(body).send().await } else { call.send().await }
    };
    let calls = [
        ("PUT", "/users/alice/devices/phone", 204, "GET, HEAD, PUT, DELETE"),
        ("GET", "/users/alice/devices/phone", 200, "GET, HEAD, PUT, DELETE"),
        ("GET", "/users/alice/devices", 200, "GET, HEAD"),
        ("HEAD", "/users/alice/devices", 200, "GET, HEAD"),
        ("DELETE", "/users/alice/devices/phone", 204, "GET, HEAD, PUT, DELETE"),
        ("PUT", "/users/alice/preferences", 204, "GET, HEAD, PUT"),
        ("GET", "/users/alice/preferences", 200, "GET, HEAD, PUT"),
    ];
    for (method, path, status, allowed) in calls {
        send(method, path, "alice", "").await.expect(status);
        functions.call(method, path).send().await.expect(401);
        send(method, path, "bob", "feed:read push:write push:send").await.expect(403);
        let writes = method == "PUT" || method == "DELETE";
        let (right, wrong) = match writes {
            true => ("tokens:write", "tokens:read"),
            false => ("tokens:read", "tokens:write"),
        };
        send(method, path, "svc", wrong).await.expect(403);
        let found = send(method, path, "svc", right).await.status;
        assert!(found == status || found == 404, "{method} {path}: {found}");
        let answer = send("POST", path, "alice", "").await;
        assert_eq!(answer.expect_problem(405, "method_not_allowed").header("allow"), allowed);
    }
    for (path, code, status) in [
        ("/users/a%20b/devices", "invalid_id", 400),
        ("/users/alice/devices/a%20b", "invalid_id", 400),
        ("/users/alice/devices/a:b", "invalid_id", 400),
        ("/users/alice/devices/x/y", "not_found", 404),
        ("/users/alice/preferences/x", "not_found", 404),
    ] {
        send("GET", path, "alice", "").await.expect_problem(status, code);
    }
}

#[tokio::test]
async fn what_is_no_device_is_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let mut no_key = webpush("x");
    no_key["subscription"]["keys"]["auth"] = json!("AAAA");
    let mut http = webpush("x");
    http["subscription"]["endpoint"] = json!("http://push.example/x");
    let mut zone = fcm("t");
    zone["timeZone"] = json!("Mars/Phobos");
    for (body, code, named) in [
        (json!({"kind": "sms", "token": "t"}), "invalid_field", "webpush"),
        (json!({"kind": "fcm"}), "missing_field", "token"),
        (json!({"kind": "apns", "token": "xyz", "topic": "a"}), "invalid_field", "token"),
        (json!({"kind": "fcm", "token": "t", "tokn": 1}), "unknown_field", "tokn"),
        (no_key, "invalid_field", "subscription.keys.auth"),
        (http, "invalid_field", "subscription.endpoint"),
        (zone, "invalid_field", "Mars/Phobos"),
        (json!([]), "bad_json", "object"),
    ] {
        let answer = put(&functions, "alice", "phone", body).await.expect_problem(400, code);
        assert!(answer.text().contains(named), "{}", answer.text());
    }
    let answer = call(&functions, "GET", "/users/alice/devices?x=1", Value::Null).await;
    answer.expect_problem(400, "unknown_field");
    for call in ["PUT /users/alice/devices/phone", "PUT /users/alice/preferences"] {
        refuses_more_than(&functions, call, "tokens:write", 96 * 1024).await;
    }
}
