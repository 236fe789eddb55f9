//! The places of muted notifications, which hubs are told of.

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Functions, Published, RedisServer};

use super::super::{each_database, seqs};
use super::{check, mute, of_kind, parsed};

/// SQLite commits creates of one instance together.
#[tokio::test]
async fn creates_at_the_same_time_are_told_apart() {
    for on in each_database().await {
        on.mute("a", &["like"]).await;
        let create = async |at: usize| {
            let kind = if at.is_multiple_of(2) { "like" } else { "note" };
            let body = of_kind("a", Some(kind), &at.to_string());
            let created = on.functions.create(&body).await.expect(201).json();
            assert_eq!(created["title"], at.to_string(), "{}", on.name);
            check(&created, at.is_multiple_of(2), on.name);
        };
        join_all((0..40).map(create)).await;
        assert_eq!(on.page("a", "limit=1").await["unread"], 20, "{}", on.name);
    }
}

#[tokio::test]
async fn the_relay_tells_of_their_places_in_order() {
    for on in each_database().await {
        on.mute("a", &["like"]).await;
        on.create_of(None, "1", false).await;
        // The record knows that it was sent.
        on.functions.relay().await.expect(200);
        on.redis.kill();
        for (kind, title) in [("like", "2"), ("note", "3"), ("like", "4")] {
            let created = on.create_of(Some(kind), title, kind == "like").await;
            assert_eq!(created["delivery"], "pending", "{}", on.name);
        }
        // The host forgets that it wanted to try again.
        on.functions.kill();
        on.functions.restart().await;
        on.redis.restart().await;
        let (published, events) =
            (Published::subscribe(&on.redis).await, Published::events(&on.redis).await);
        assert_eq!(on.functions.relay().await.expect(200).json()["pending"], 0, "{}", on.name);
        let shown = parsed(&published.exactly(1).await);
        assert_eq!(shown[0]["notification"]["title"], "3", "{}", on.name);
        let places: Vec<Value> = parsed(&events.exactly(2).await)
            .iter()
            .map(|event| event["bw"]["seq"].clone())
            .collect();
        assert_eq!(places, [2, 4], "{}", on.name);
        let page = on.page("a", "").await;
        assert_eq!((seqs(&page), &page["unread"]), (vec![4, 3, 2, 1], &json!(2)), "{}", on.name);
        for entry in page["notifications"].as_array().unwrap() {
            check(entry, entry["kind"] == "like", on.name);
        }
    }
}

/// A place that may not be told lies in the feed once, and is told when it may be.
#[tokio::test]
async fn a_place_that_is_denied_is_told_later() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    mute(&functions, "a", &["like"]).await;
    functions.notify("a", "1").await;
    redis.run::<()>("ACL SETUSER default resetchannels &notifications").await;
    for (kind, title) in [("like", "2"), ("note", "3")] {
        let created = functions.create(&of_kind("a", Some(kind), title)).await.expect(201).json();
        assert_eq!(created["delivery"], "pending", "{created}");
    }
    assert_eq!(redis.list("notifications:a").await.len(), 3);
    redis.run::<()>("ACL SETUSER default allchannels").await;
    let (published, events) = (Published::subscribe(&redis).await, Published::events(&redis).await);
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
    assert_eq!(published.seqs("a").await, [3]);
    events.exactly(1).await;
    assert_eq!(redis.list("notifications:a").await.len(), 3);
}
