//! Who may do what with push tokens, and what is none.

use serde_json::{Value, json};
use support::{Functions, RedisServer, token};

use super::{call, get, plain, put};
use crate::api::limits::refuses_more_than;

#[tokio::test]
async fn tokens_are_for_their_owners_and_for_services() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let send = async |method: &str, path: &str, sub: &str, scope: &str| {
        let call = functions.call(method, path).token(&token(sub, scope));
        call.body(r#"{"token":"phone"}"#).send().await
    };
    let own = "/users/alice/token";
    for (method, status) in [("PUT", 204), ("GET", 200), ("HEAD", 200), ("DELETE", 204)] {
        send(method, own, "alice", "").await.expect(status);
        functions.call(method, own).send().await.expect(401);
        send(method, own, "bob", "feed:read ops:write").await.expect(403);
    }
    send("PUT", own, "svc", "tokens:read").await.expect_problem(403, "forbidden");
    send("PUT", own, "svc", "tokens:write").await.expect(204);
    send("GET", own, "svc", "tokens:write").await.expect_problem(403, "forbidden");
    send("GET", own, "svc", "tokens:read").await.expect(200);
    for (method, path) in [("PUT", "/tokens"), ("POST", "/tokens/prune")] {
        functions.call(method, path).send().await.expect_problem(401, "unauthorized");
        let refused = send(method, path, "alice", "tokens:read").await;
        assert!(refused.expect_problem(403, "forbidden").text().contains("tokens:write"));
        let answer = send("GET", path, "svc", "tokens:write").await;
        assert_eq!(answer.expect_problem(405, "method_not_allowed").header("allow"), method);
    }
    let answer = send("POST", own, "alice", "").await.expect_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT, DELETE");
    send("GET", "/users/a%20b/token", "alice", "").await.expect_problem(400, "invalid_id");
    send("GET", "/users/alice/token/x", "alice", "").await.expect_problem(404, "not_found");
    send("GET", "/tokens/x", "alice", "").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    put(&functions, "alice", &"x".repeat(4096)).await.expect(204);
    assert_eq!(get(&functions, "alice").await, Some("x".repeat(4096)));
    put(&functions, "alice", "\"quoted\" \\ é").await.expect(204);
    assert_eq!(plain(&redis, "alice").await.as_deref(), Some("\"quoted\" \\ é"));
    let too_long = "x".repeat(4097);
    for (body, code, named) in [
        (json!({"token": too_long}), "limit_exceeded", "4096"),
        (json!({"token": ""}), "invalid_field", "token"),
        (json!({"token": "a\nb"}), "invalid_field", "token"),
        (json!({"token": "a\u{0}b"}), "invalid_field", "U+0000"),
        (json!({"token": 7}), "invalid_field", "token"),
        (json!({"token": null}), "missing_field", "token"),
        (json!({"token": "a", "tokn": "b"}), "unknown_field", "tokn"),
        (json!([]), "bad_json", "object"),
    ] {
        let answer = call(&functions, "PUT", "/users/alice/token", body.clone()).await;
        let answer = answer.expect_problem(400, code);
        assert!(answer.text().contains(named), "{}", answer.text());
        if !body.is_object() {
            continue;
        }
        let mut item = body;
        item["userId"] = json!("alice");
        for (method, path) in [("PUT", "/tokens"), ("POST", "/tokens/prune")] {
            let items = json!({"tokens": [{"userId": "b", "token": "b"}, item]});
            let answer = call(&functions, method, path, items).await.expect_problem(400, code);
            assert!(answer.text().contains("tokens[1]"), "{}", answer.text());
        }
    }
    assert_eq!(get(&functions, "b").await, None, "all or none");
    let answer = call(&functions, "GET", "/users/alice/token?x=1", Value::Null).await;
    answer.expect_problem(400, "unknown_field");
    for (call, bytes_max) in [
        ("PUT /users/alice/token", 96 * 1024),
        ("PUT /tokens", 4 * 1024 * 1024),
        ("POST /tokens/prune", 4 * 1024 * 1024),
    ] {
        refuses_more_than(&functions, call, "tokens:write", bytes_max).await;
    }
}
