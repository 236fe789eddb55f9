//! Other services that write the same feeds and the same channel, without knowing of Bellwire.

use serde_json::json;
use support::functions::titles;
use support::wait::eventually;
use support::{Functions, Published, RedisServer, token};

const LIST: &str = "notifications:alice";

#[tokio::test]
async fn entries_that_another_service_pushed_are_shown_where_they_lie() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "ours 1").await;
    let theirs = r#"{"userId":"alice","title":"theirs","id":17,"n":[],"big":12345678901234567890}"#;
    let _: i64 = redis.run_words(&["LPUSH", LIST, theirs]).await;
    functions.notify("alice", "ours 2").await;
    let feed = functions.feed("alice").await.expect(200);
    assert_eq!(titles(&feed.json()), ["ours 2", "theirs", "ours 1"]);
    assert!(feed.text().contains(theirs), "not the bytes that were appended: {}", feed.text());
    assert_eq!(feed.json()["unread"], 2, "foreign entries never count");
}

#[tokio::test]
async fn what_is_no_object_is_skipped() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "ours").await;
    let elements = ["not json", "", "[]", "17", "null", "\"text\"", "{", "{}}", "\u{0}"];
    for element in elements {
        let _: i64 = redis.run_words(&["LPUSH", LIST, element]).await;
    }
    let binary = redis::cmd("LPUSH").arg(LIST).arg(&[0xff_u8, 0xfe][..]).to_owned();
    let _: i64 = binary.query_async(&mut redis.connection().await).await.unwrap();
    let _: i64 = redis.run_words(&["LPUSH", LIST, r#" {"title":"spaced"} "#]).await;
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(titles(&feed), ["spaced", "ours"]);
    assert_eq!(feed["unread"], 1);
}

#[tokio::test]
async fn a_feed_that_only_another_service_wrote_is_shown_and_given_an_expiry() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for title in ["a", "b"] {
        let element = json!({"userId": "alice", "title": title}).to_string();
        let _: i64 = redis.run_words(&["LPUSH", LIST, &element]).await;
    }
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(titles(&feed), ["b", "a"]);
    assert_eq!(feed["unread"], 0);
    let ttl: i64 = redis.run_words(&["TTL", LIST]).await;
    assert!(ttl > 29 * 24 * 3600, "{ttl}");
    // And a create joins it.
    functions.notify("alice", "ours").await;
    assert_eq!(functions.titles("alice").await, ["ours", "b", "a"]);
}

#[tokio::test]
async fn an_element_that_looks_like_ours_but_is_not_never_counts() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "ours").await;
    // A seq of its own meaning, but no UUIDv7 as id.
    let similar = [
        r#"{"id":"17","userId":"alice","seq":9,"title":"short id"}"#,
        r#"{"id":"123e4567-e89b-42d3-a456-426614174000","userId":"alice","seq":9,"title":"v4"}"#,
        r#"{"seq":9,"userId":"alice","title":"seq only"}"#,
    ];
    for element in similar {
        let _: i64 = redis.run_words(&["LPUSH", LIST, element]).await;
    }
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(titles(&feed), ["seq only", "v4", "short id", "ours"]);
    assert_eq!(feed["unread"], 1);
    functions.notify("alice", "next").await;
    assert_eq!(functions.titles("alice").await, ["next", "seq only", "v4", "short id", "ours"]);
}

#[tokio::test]
async fn a_first_notification_lies_above_what_other_services_wrote_before() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    // A full feed of an existing service, which no read has seen yet.
    for at in 1..=100 {
        let element = json!({"userId": "alice", "title": format!("theirs {at}")}).to_string();
        let _: i64 = redis.run_words(&["LPUSH", LIST, &element]).await;
    }
    assert_eq!(functions.notify("alice", "ours").await["delivery"], "sent");
    let feed = functions.feed("alice").await.expect(200).json();
    let titles = titles(&feed);
    assert_eq!(titles[..3], ["ours", "theirs 100", "theirs 99"]);
    assert_eq!((titles.len(), &feed["unread"]), (100, &json!(1)));
}

/// A new epoch loads the feed anew. The elements of the other service have moved some of ours out
/// of the list, which the load brings back: they were published long ago.
#[tokio::test]
async fn a_new_epoch_publishes_nothing_again_beside_foreign_elements() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let all: Vec<_> =
        (0..110).map(|n| json!({"userId": "alice", "title": n.to_string()})).collect();
    let batch = functions.post("/notifications/batch", json!({"notifications": all}).to_string());
    batch.token(&token("svc", "notifications:write")).send().await.expect(200);
    for n in 0..5 {
        let theirs = json!({"userId": "alice", "id": format!("theirs {n}")}).to_string();
        let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
        functions.notify("alice", "between").await;
    }
    let published = Published::subscribe(&redis).await;
    let rotate = functions.post("/admin/migrate", r#"{"rotateEpoch":true}"#);
    rotate.token(&token("an operator", "ops:write")).send().await.expect(200);
    functions.notify("alice", "the last").await;
    eventually("the last one is published", async || {
        published.messages().iter().any(|text| text.contains("the last")).then_some(())
    })
    .await;
    published.exactly(1).await;
}
