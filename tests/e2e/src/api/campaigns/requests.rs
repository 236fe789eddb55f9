//! Who may call what of a campaign, and what is none.

use serde_json::{Value, json};
use support::{Functions, RedisServer, token};

use super::{call, users};

#[tokio::test]
async fn campaigns_are_for_services_only() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let paths = [
        ("/campaigns/c1", "GET, HEAD, DELETE"),
        ("/campaigns/c1/users", "PUT, POST"),
        ("/campaigns/c1/next", "POST"),
        ("/campaigns/c1/responses", "GET, HEAD, POST"),
    ];
    for (path, allow) in paths {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"] {
            let sent = functions.call(method, path).send().await;
            if !allow.split(", ").any(|allowed| allowed == method) {
                assert_eq!(sent.expect(405).header("allow"), allow, "{method} {path}");
                continue;
            }
            sent.expect(401);
            let other = token("alice", "queues:write tokens:write campaigns:reads");
            let refused = functions.call(method, path).token(&other).send().await.expect(403);
            if method != "HEAD" {
                assert!(refused.text().contains("the scope campaigns:"), "{}", refused.text());
            }
        }
    }
    for path in ["/campaigns", "/campaigns/c1/x", "/campaigns/c1/users/x"] {
        let everything = token("svc", "campaigns:write");
        let answer = functions.get(path).token(&everything).send().await;
        answer.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn readers_read_progress_and_responses_and_do_nothing_else() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    call(&functions, "PUT", "c1/users", users(0..2)).await.expect(200);
    for (method, path, status) in [
        ("GET", "/campaigns/c1", 200),
        ("GET", "/campaigns/c1/responses", 200),
        ("PUT", "/campaigns/c1/users", 403),
        ("POST", "/campaigns/c1/users", 403),
        ("POST", "/campaigns/c1/next", 403),
        ("POST", "/campaigns/c1/responses", 403),
        ("DELETE", "/campaigns/c1", 403),
    ] {
        let reader = token("a console", "campaigns:read queues:write");
        let answer = functions.call(method, path).token(&reader).send().await;
        assert_eq!(answer.status, status, "{method} {path}");
        // The reading scope is included in the writing one.
        if status == 200 {
            let writer = token("svc", "campaigns:write");
            functions.call(method, path).token(&writer).send().await.expect(200);
        }
    }
    assert_eq!(redis.list("campaign:c1").await.len(), 2);
}

#[tokio::test]
async fn no_id_reaches_another_capability() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let too_long = "x".repeat(129);
    for id in ["a%3Ab", "c1%3Aresponses", "a%2Fb", "%7Ba%7D", "a%20b", too_long.as_str()] {
        for (method, path, body) in [
            ("PUT", format!("{id}/users"), users(0..1)),
            ("POST", format!("{id}/next"), Value::Null),
            ("POST", format!("{id}/responses"), json!({"responses": [1]})),
            ("DELETE", id.to_owned(), Value::Null),
        ] {
            let answer = call(&functions, method, &path, body).await;
            answer.expect_problem(400, "invalid_id");
        }
    }
    assert_eq!(redis.run::<i64>("DBSIZE").await, 0);
    // Names of others are names like any other here: the prefix keeps them apart.
    for id in ["online_users", "notifications", "user"] {
        call(&functions, "PUT", &format!("{id}/users"), users(0..1)).await.expect(200);
        assert_eq!(redis.list(&format!("campaign:{id}")).await.len(), 1);
    }
}
