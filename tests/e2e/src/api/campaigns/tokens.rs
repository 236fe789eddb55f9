//! `next?tokens=true`: users without a token get the one that Redis has.

use serde_json::{Value, json};
use support::{Functions, RedisServer};

use super::{LIST, call};

#[tokio::test]
async fn missing_tokens_are_filled_in_from_redis() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let users = json!({"users": [
        {"userId": "alice"}, {"userId": "bob", "fcmToken": "own"}, {"userId": "carol"}, {"userId": 7},
    ]});
    call(&functions, "PUT", "c1/users", users.clone()).await.expect(200);
    // What other services write: a null, what is no user, and a user's other members.
    for element in [
        r#"{"userId":"dave","fcmToken":null,"n":1.0}"#,
        r#"{"campaign":true}"#,
        r#"{ "userId": "erin", "x": [1] }"#,
    ] {
        redis.run_words::<i64>(&["RPUSH", LIST, element]).await;
    }
    for (user, token) in [("alice", "a\"1"), ("bob", "b"), ("7", "seven"), ("dave", "d")] {
        let key = format!("user:{user}:token");
        redis.run_words::<()>(&["SET", &key, token, "EX", "1000"]).await;
    }
    let _: i64 = redis.run("LPUSH user:erin:token x").await;
    redis.expect_foreign("user:erin:token");
    let path = "c1/next?count=500&tokens=true";
    let answer = call(&functions, "POST", path, Value::Null).await.expect(200);
    let expected = json!({"remaining": 0, "users": [
        {"userId": "alice", "fcmToken": "a\"1"},
        {"userId": "bob", "fcmToken": "own"},
        {"userId": "carol"},
        {"userId": "7", "fcmToken": "seven"},
        {"userId": "dave", "fcmToken": "d", "n": 1.0},
        {"campaign": true},
        {"userId": "erin", "x": [1]},
    ]});
    assert_eq!(answer.json(), expected);
    let answer = call(&functions, "POST", path, Value::Null).await.expect(200);
    assert_eq!(answer.json(), json!({"users": [], "remaining": 0}));

    // Without the parameter, elements are as they were.
    call(&functions, "PUT", "c1/users", users).await.expect(200);
    let path = "c1/next?count=1&tokens=false";
    let answer = call(&functions, "POST", path, Value::Null).await.expect(200);
    assert_eq!(answer.json()["users"], json!([{"userId": "alice"}]));
    let answer = call(&functions, "POST", "c1/next?tokens=yes", Value::Null).await;
    assert_eq!(answer.expect_problem(400, "invalid_field").json()["field"], "tokens");
}

#[tokio::test]
async fn users_are_not_lost_where_their_tokens_cannot_be_read() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    call(&functions, "PUT", "c1/users", json!({"users": [{"userId": "alice"}]})).await.expect(200);
    redis.run::<()>("ACL SETUSER default -mget").await;
    let path = "c1/next?tokens=true";
    let answer = call(&functions, "POST", path, Value::Null).await.expect(200);
    assert_eq!(answer.json()["users"], json!([{"userId": "alice"}]));
    redis.run::<()>("ACL SETUSER default +mget").await;
}
