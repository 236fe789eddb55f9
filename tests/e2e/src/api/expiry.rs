//! What is past its `expiresAt` is shown nowhere, told to nobody and counted by nobody, wherever the
//! answer comes from; its id is still a place that pages begin at.

use serde_json::{Value, json};
use shared::{keys, script};
use support::functions::titles;
use support::{Functions, Published, RedisServer, token};

use crate::api::records;

const PAST: &str = "2020-01-01T00:00:00Z";

/// Creates one that is expired from the start; whether it is in the feed is not its creator's affair.
async fn create_expired(functions: &Functions, title: &str) -> Value {
    let body = json!({"userId": "alice", "title": title, "expiresAt": PAST});
    functions.create(&body).await.expect(201).json()
}

/// The status of `GET …/{id}`.
async fn status(functions: &Functions, created: &Value) -> u16 {
    let path = format!("/users/alice/notifications/{}", created["id"].as_str().unwrap());
    functions.get(&path).token(&token("alice", "")).send().await.status
}

/// Titles of a page that must be answered 200, and its `unread`.
async fn page(functions: &Functions, query: &str) -> (Vec<String>, Value) {
    let path = format!("/users/alice/notifications?{query}");
    let page = functions.get(&path).token(&token("alice", "")).send().await.expect(200).json();
    (titles(&page), page["unread"].clone())
}

async fn read(functions: &Functions, id: &Value) -> Value {
    let marks = functions.post("/users/alice/notifications/read", json!({"ids": [id]}).to_string());
    marks.token(&token("alice", "")).send().await.expect(200).json()
}

/// Everything that may be asked, about "one", an expired one, "two", and another expired one.
async fn nothing_shows_them(functions: &Functions, all: &[Value; 4], name: &str) {
    let [one, hidden, two, newest] = all;
    for (created, expected) in [(one, 200), (hidden, 404), (two, 200), (newest, 404)] {
        assert_eq!(status(functions, created).await, expected, "{name}: {created}");
    }
    assert_eq!(page(functions, "").await.0, ["two", "one"], "{name}");
    let id = |created: &Value| created["id"].as_str().unwrap().to_owned();
    for (query, expected) in [
        (format!("after={}", id(one)), &["two"][..]),
        (format!("after={}", id(two)), &[]),
        (format!("before={}", id(two)), &["one"]),
        // As a place they hold.
        (format!("after={}", id(hidden)), &["two"]),
        (format!("before={}", id(hidden)), &["one"]),
        (format!("before={}", id(newest)), &["two", "one"]),
        (format!("after={}", id(newest)), &[]),
    ] {
        let (titles, _) = page(functions, &query).await;
        assert_eq!(titles, expected, "{name}: {query}");
    }
}

#[tokio::test]
async fn an_expired_entry_is_shown_neither_by_redis_nor_by_the_record() {
    for on in records::each_database().await {
        let functions = &on.functions;
        let published = Published::subscribe(&on.redis).await;
        let one = functions.notify("alice", "one").await;
        let hidden = create_expired(functions, "hidden").await;
        let two = functions.notify("alice", "two").await;
        let newest = create_expired(functions, "newest").await;
        let all = [one, hidden, two, newest];
        published.exactly(2).await;
        assert_eq!(page(functions, "").await.1, 2, "{}", on.name);
        // A read mark stands in front of `delivery` where an entry is shown.
        assert_eq!(read(functions, &all[1]["id"]).await, json!({"unread": 2}), "{}", on.name);
        assert_eq!(read(functions, &all[0]["id"]).await, json!({"unread": 1}), "{}", on.name);
        nothing_shows_them(functions, &all, "a warm feed").await;

        on.redis.run::<()>("FLUSHALL").await;
        assert_eq!(status(functions, &all[1]).await, 404, "{}: from a cold feed", on.name);
        assert_eq!(page(functions, "").await.1, 1, "{}: loaded", on.name);
        nothing_shows_them(functions, &all, "a feed that was loaded").await;

        // In the record alone: older than the list.
        on.redis.run_words::<()>(&["LTRIM", "notifications:alice", "0", "0"]).await;
        nothing_shows_them(functions, &all, "a feed that was trimmed").await;

        on.redis.kill();
        nothing_shows_them(functions, &all, "without Redis").await;
        assert_eq!(page(functions, "").await.1, 1, "{}: without Redis", on.name);
    }
}

#[tokio::test]
async fn an_entry_that_expired_while_it_was_pending_is_told_to_nobody() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    let one = functions.notify("alice", "one").await;
    redis.kill();
    let hidden = create_expired(&functions, "hidden").await;
    assert_eq!(hidden["delivery"], "pending");
    let two = functions.notify("alice", "two").await;
    // The host forgets that it wanted to try again: the relay alone delivers.
    functions.kill();
    functions.restart().await;
    redis.restart().await;
    let published = Published::subscribe(&redis).await;
    let outcome = functions.relay().await.expect(200).json();
    assert_eq!(outcome["pending"], 0, "{outcome}");
    let told = published.exactly(1).await;
    assert!(told[0].contains("\"two\""), "{told:?}");
    let newest = create_expired(&functions, "newest").await;
    published.exactly(1).await;
    nothing_shows_them(&functions, &[one, hidden, two, newest], "after the relay").await;
}

#[tokio::test]
async fn a_repeated_create_of_an_expired_entry_is_answered_and_told_to_nobody() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    let create = async || {
        let body = json!({"userId": "alice", "title": "t", "expiresAt": PAST}).to_string();
        let call = functions.post("/notifications", body).header("idempotency-key", "k");
        call.token(&token("svc", "notifications:write")).send().await.expect(201).json()
    };
    assert_eq!(create().await["id"], create().await["id"]);
    assert_eq!(page(&functions, "").await, (Vec::new(), json!(0)));
    published.exactly(0).await;
}

/// Each gets the number for its own time: the derived one that the feed keeps is valid for a while
/// only, in both directions.
#[tokio::test]
async fn readers_whose_clocks_differ_do_not_get_each_others_number() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let body = json!({"userId": "alice", "title": "brief", "expiresAt": "2099-01-01T00:00:00Z"});
    functions.create(&body).await.expect(201);
    let unread = async |now: &str| -> i64 {
        let alice = shared::UserId::parse("alice").unwrap();
        let (list, companion) = (keys::feed(&alice), keys::feed_companion(&alice));
        let source = script::FEED_UNREAD.source;
        let words = ["EVAL", source, "2", &list, &companion, "100", now];
        let reply: (String, i64, i64, String, String) = redis.run_words(&words).await;
        reply.2
    };
    for _ in 0..2 {
        assert_eq!(unread("2099-01-02T00:00:00.000Z").await, 1);
        assert_eq!(unread("2030-01-02T00:00:00.000Z").await, 2);
        assert_eq!(page(&functions, "").await.1, 2);
    }
}
