//! Responses page by page, and how much of everything a campaign takes.

use serde_json::{Value, json};
use support::{Functions, RedisServer};

use super::{LIST, call, users};
use crate::api::limits::refuses_more_than;

#[tokio::test]
async fn pages_show_every_response_once_in_order() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let page = async |query: &str| {
        let path = format!("c1/responses?{query}");
        call(&functions, "GET", &path, Value::Null).await.expect(200).json()
    };
    assert_eq!(page("").await, json!({"items": [], "next": null}));
    let all: Vec<Value> = (0..250).map(|at| json!({"at": at})).collect();
    for part in all.chunks(125) {
        let body = json!({ "responses": part });
        let answer = call(&functions, "POST", "c1/responses", body).await.expect(200).json();
        assert_eq!(answer, json!({"accepted": 125}));
    }
    let empty = call(&functions, "POST", "c1/responses", json!({"responses": []})).await;
    assert_eq!(empty.expect(200).json(), json!({"accepted": 0}));
    assert_eq!(page("").await["items"].as_array().unwrap().len(), 20);
    let (mut seen, mut query) = (Vec::new(), "limit=100".to_owned());
    loop {
        let page = page(&query).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        assert!(seen.len() <= 250, "pages without end");
        match page["next"].as_str() {
            Some(cursor) => query = format!("limit=100&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    assert_eq!(page("limit=50&cursor=200").await["next"], Value::Null);
    assert_eq!(page("cursor=100000").await, json!({"items": [], "next": null}));
    for bad in ["limit=0", "limit=101", "limit=x", "cursor=-1", "cursor=x", "curser=1"] {
        let answer = call(&functions, "GET", &format!("c1/responses?{bad}"), Value::Null).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn limits_are_told() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let responses = |many: usize| json!({"responses": vec![1; many]});
    let nested = |depth: usize| -> Value {
        serde_json::from_str(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).unwrap()
    };
    let text = |bytes: usize| "x".repeat(bytes);
    call(&functions, "PUT", "c1/users", users(0..5000)).await.expect(200);
    call(&functions, "POST", "c1/responses", responses(500)).await.expect(200);
    let fits = json!({"responses": [text(65_534), nested(32)]});
    call(&functions, "POST", "c1/responses", fits).await.expect(200);
    for (method, path, body, code, named) in [
        ("PUT", "c1/users", users(0..5001), "limit_exceeded", "5000"),
        ("POST", "c1/users", users(0..5001), "limit_exceeded", "5000"),
        ("POST", "c1/users", json!({"users": [{"userId": "a"}, {}]}), "missing_field", "users[1]"),
        ("POST", "c1/users", json!({"users": [{"userId": "a b"}]}), "invalid_id", "users[0]"),
        (
            "POST",
            "c1/users",
            json!({"users": [{"userId": "a", "fcmToken": text(4097)}]}),
            "limit_exceeded",
            "4096",
        ),
        ("POST", "c1/users", json!({"user": []}), "missing_field", "users"),
        ("POST", "c1/users", json!({"users": [], "x": 1}), "unknown_field", "x"),
        ("POST", "c1/responses", responses(501), "limit_exceeded", "500"),
        ("POST", "c1/responses", json!({"responses": [text(65_535)]}), "limit_exceeded", "65536"),
        ("POST", "c1/responses", json!({"responses": [nested(33)]}), "limit_exceeded", "32"),
        ("POST", "c1/responses", json!({"responses": ["\u{0}"]}), "invalid_field", "U+0000"),
        ("POST", "c1/next?count=0", Value::Null, "invalid_field", "500"),
        ("POST", "c1/next?count=501", Value::Null, "invalid_field", "500"),
        ("POST", "c1/next?counts=1", Value::Null, "unknown_field", "counts"),
    ] {
        let answer = call(&functions, method, path, body).await.expect_problem(400, code);
        assert!(answer.text().contains(named), "{}", answer.text());
    }
    for call in
        ["PUT /campaigns/c1/users", "POST /campaigns/c1/users", "POST /campaigns/c1/responses"]
    {
        refuses_more_than(&functions, call, "campaigns:write", 4 * 1024 * 1024).await;
    }
    assert_eq!(redis.list(LIST).await.len(), 5000);
}

#[tokio::test]
async fn a_campaign_does_not_grow_without_end() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for (list, many) in [(LIST, 1_000_000), ("campaign:c1:responses", 100_000)] {
        let fill = "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], '1') end";
        let many = (many - 1).to_string();
        let _: Value = redis
            .run_words::<Option<i64>>(&["EVAL", fill, "1", list, &many])
            .await
            .map_or(Value::Null, Value::from);
    }
    let two = json!({"responses": [1, 2]});
    for (path, body, one) in
        [("c1/users", users(0..2), users(0..1)), ("c1/responses", two, json!({"responses": [1]}))]
    {
        let refused = call(&functions, "POST", path, body.clone()).await;
        refused.expect_problem(400, "limit_exceeded");
        call(&functions, "POST", path, one).await.expect(200);
        call(&functions, "POST", path, body).await.expect_problem(400, "limit_exceeded");
    }
    // In the place of all others there is room.
    call(&functions, "PUT", "c1/users", users(0..2)).await.expect(200);
}
