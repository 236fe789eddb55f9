//! Creating a notification and finding it in the feed, on the channel and in Redis.

use serde_json::{Value, json};
use support::{Functions, Published, RedisServer};

#[tokio::test]
async fn a_created_notification_lies_in_the_feed_as_it_was_published() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;

    let answer = functions
        .create(&json!({"userId": "alice", "title": "Hello", "body": "wörld", "kind": "greeting"}))
        .await
        .expect(201);
    let created = answer.json();
    assert_eq!(created["delivery"], "sent");
    assert_eq!(created["seq"], 1);
    let location = format!("/users/alice/notifications/{}", created["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), location);

    let stored = redis.list("notifications:alice").await;
    assert_eq!(stored.len(), 1);
    let epoch = functions.record.epoch();
    let expected =
        format!(r#"{{"notification":{},"bw":{{"epoch":"{epoch}","seq":1}}}}"#, stored[0]);
    assert_eq!(published.exactly(1).await, [expected]);
    let mut without_overlay = created.clone();
    without_overlay.as_object_mut().unwrap().remove("delivery");
    assert_eq!(serde_json::from_str::<Value>(&stored[0]).unwrap(), without_overlay);
    assert_eq!(functions.feed("alice").await.expect(200).json()["notifications"], json!([created]));
}
