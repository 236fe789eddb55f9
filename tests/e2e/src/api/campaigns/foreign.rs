//! Other services that append to a campaign and take from it, without knowing of Bellwire.

use serde_json::{Value, json};
use support::{Functions, RedisServer};

use super::{LIST, add, call, counts, ids, next, progress};

#[tokio::test]
async fn a_plain_client_finds_what_the_layout_says() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let body = json!({"users": [{"userId": "a", "fcmToken": "t"}, {"userId": 7}, {"userId": "c"}]});
    call(&functions, "PUT", "c1/users", body).await.expect(200);
    assert_eq!(
        redis.list(LIST).await,
        [r#"{"userId":"a","fcmToken":"t"}"#, r#"{"userId":"7"}"#, r#"{"userId":"c"}"#]
    );
    let _: String = redis.run_words(&["LPOP", LIST]).await;
    assert_eq!(counts(&functions).await, [2, 3, 1]);
    assert_eq!(ids(&next(&functions, 1).await), ["7"]);
    assert_eq!(counts(&functions).await, [1, 3, 2]);
    let _: String = redis.run_words(&["LPOP", LIST]).await;
    assert_eq!(counts(&functions).await, [0, 3, 3]);
}

#[tokio::test]
async fn users_that_another_service_pushed_are_given_out_as_they_are() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let theirs = r#"{"userId":17,"fcmToken":"t","n":[],"big":12345678901234567890,"x":{"y":null}}"#;
    let _: i64 = redis.run_words(&["RPUSH", LIST, theirs, theirs]).await;
    assert_eq!(counts(&functions).await, [2, 2, 0]);
    let ttl: i64 = redis.run_words(&["TTL", LIST]).await;
    assert!(ttl > 86_000, "it gets an expiry: {ttl}");
    let answer = call(&functions, "POST", "c1/next", Value::Null).await.expect(200);
    assert_eq!(answer.text(), format!("{{\"users\":[{theirs}],\"remaining\":1}}"));
    add(&functions, 0..2).await;
    let _: i64 = redis.run_words(&["RPUSH", LIST, theirs]).await;
    assert_eq!(counts(&functions).await, [4, 5, 1]);
    // Seen once, it is not forgotten: what they append after their pops are new users.
    let _: Vec<String> = redis.run_words(&["LPOP", LIST, "3"]).await;
    assert_eq!(counts(&functions).await, [1, 5, 4]);
    let _: i64 = redis.run_words(&["RPUSH", LIST, theirs, theirs, theirs]).await;
    assert_eq!(counts(&functions).await, [4, 8, 4]);
}

#[tokio::test]
async fn what_is_no_object_is_left_out_and_stops_nobody() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for element in ["not json", "", "[]", "17", "null", "{"] {
        let _: i64 = redis.run_words(&["RPUSH", LIST, element]).await;
    }
    let binary = redis::cmd("RPUSH").arg(LIST).arg(&[0xff_u8][..]).to_owned();
    let _: i64 = binary.query_async(&mut redis.connection().await).await.unwrap();
    let spaced = " {\"userId\": \"a\"} ";
    let _: i64 = redis.run_words(&["RPUSH", LIST, spaced, r#"{"userId":"b"}"#]).await;
    // One at a time: an empty answer would send the worker home.
    assert_eq!(next(&functions, 1).await, json!({"users": [{"userId": "a"}], "remaining": 1}));
    assert_eq!(counts(&functions).await, [1, 9, 8]);
    assert_eq!(ids(&next(&functions, 500).await), ["b"]);
}

#[tokio::test]
async fn responses_are_shared_too() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let list = "campaign:c1:responses";
    let page = async || call(&functions, "GET", "c1/responses", Value::Null).await.expect(200);
    let _: i64 = redis.run_words(&["RPUSH", list, r#"{"a": []}"#, "no json", "7"]).await;
    assert_eq!(page().await.text(), r#"{"items":[{"a": []},7],"next":null}"#);
    let ttl: i64 = redis.run_words(&["TTL", list]).await;
    assert!(ttl > 86_000, "it gets an expiry: {ttl}");
    let body = r#"{"responses":[{"b" : 1.50},"text",null]}"#;
    let json = serde_json::from_str::<Value>(body).unwrap();
    assert_eq!(json["responses"].as_array().unwrap().len(), 3);
    let sender = support::token("svc", "campaigns:write");
    let sent = functions.post("/campaigns/c1/responses", body).token(&sender).send().await;
    assert_eq!(sent.expect(200).json(), json!({"accepted": 3}));
    assert_eq!(redis.list(list).await[3..], [r#"{"b" : 1.50}"#, r#""text""#, "null"]);
    let taken: String = redis.run_words(&["LPOP", list]).await;
    assert_eq!(taken, r#"{"a": []}"#);
    assert_eq!(progress(&functions).await["responses"], 5);
    assert_eq!(page().await.text(), r#"{"items":[7,{"b" : 1.50},"text",null],"next":null}"#);
}
