//! `GET /users/{u}/notifications`: pages, unread, headers.

use serde_json::json;
use support::functions::titles;
use support::{Functions, RedisServer, token};

#[tokio::test]
async fn a_feed_is_newest_first_and_says_how_much_is_unread() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let empty = functions.feed("alice").await.expect(200);
    assert_eq!(empty.json(), json!({"notifications": [], "unread": 0, "next": null}));
    for title in ["one", "two", "three"] {
        functions.notify("alice", title).await;
    }
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(titles(&feed), ["three", "two", "one"]);
    assert_eq!(feed["unread"], 3);
    for entry in feed["notifications"].as_array().unwrap() {
        assert_eq!(entry["delivery"], "sent");
    }
}

#[tokio::test]
async fn expired_entries_are_neither_shown_nor_unread() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let past = json!({"userId": "alice", "title": "old", "expiresAt": "2020-01-01T00:00:00Z"});
    let future =
        json!({"userId": "alice", "title": "new", "expiresAt": "2999-01-01T01:00:00+01:00"});
    functions.create(&past).await.expect(201);
    let created = functions.create(&future).await.expect(201).json();
    assert_eq!(created["expiresAt"], "2999-01-01T00:00:00.000Z");
    let check = async || {
        let feed = functions.feed("alice").await.expect(200).json();
        assert_eq!((titles(&feed), &feed["unread"]), (vec!["new".to_owned()], &json!(1)));
    };
    check().await;
    // The same when the feed is loaded from the record, and without Redis.
    let _: () = redis.run("FLUSHALL").await;
    check().await;
    redis.kill();
    check().await;
}

#[tokio::test]
async fn limit_bounds_the_page() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for at in 1..=25 {
        functions.notify("alice", &format!("n{at}")).await;
    }
    let own = token("alice", "");
    let page = async |query: &str| {
        functions.get(&format!("/users/alice/notifications{query}")).token(&own).send().await
    };
    let newest = |count: usize| -> Vec<String> {
        (26 - count..=25).rev().map(|at| format!("n{at}")).collect()
    };
    assert_eq!(titles(&page("").await.expect(200).json()), newest(20));
    assert_eq!(titles(&page("?limit=1").await.expect(200).json()), newest(1));
    assert_eq!(titles(&page("?limit=100").await.expect(200).json()), newest(25));
    // `unread` is of the feed window, not of the page.
    assert_eq!(page("?limit=1").await.expect(200).json()["unread"], 25);
    for bad in ["0", "101", "-1", "x", "", "1.5", "99999999999999999999"] {
        let answer = page(&format!("?limit={bad}")).await.expect_problem(400, "invalid_field");
        assert!(answer.text().contains("limit"), "{}", answer.text());
    }
    page("?limit=1&limit=2").await.expect_problem(400, "invalid_field");
    let unknown = page("?sort=asc").await.expect_problem(400, "unknown_field");
    assert!(unknown.text().contains("sort"), "{}", unknown.text());
    page("?limit=%zz").await.expect_problem(400, "invalid_field");
}

#[tokio::test]
async fn an_unchanged_feed_is_answered_304() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let own = token("alice", "");
    let get = async |tag: &str| {
        let call = functions.get("/users/alice/notifications").token(&own);
        call.header("if-none-match", tag).send().await
    };
    let first = get("\"none\"").await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "not a strong tag: {tag}");
    assert_eq!(first.header("cache-control"), "private, no-cache");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = get(&known).await.expect(304);
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
    functions.notify("alice", "two").await;
    let changed = get(&tag).await.expect(200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn head_answers_what_get_would_without_a_body() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let own = token("alice", "");
    let target = "/users/alice/notifications";
    let get = functions.get(target).token(&own).send().await.expect(200);
    let head = functions.call("HEAD", target).token(&own).send().await.expect(200);
    for name in ["content-length", "content-type", "etag", "cache-control"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    functions.call("HEAD", target).send().await.expect(401);
    functions.call("HEAD", "/nothing").send().await.expect(404);
    functions.call("HEAD", "/healthz").send().await.expect(200);
}

#[tokio::test]
async fn a_feed_key_of_another_type_is_a_conflict() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    redis.expect_foreign("notifications:alice");
    let _: () = redis.run("SET notifications:alice text").await;
    functions.feed("alice").await.expect_problem(409, "wrong_type");
    // The notification itself is safe.
    assert_eq!(functions.notify("alice", "one").await["delivery"], "pending");
    let _: i64 = redis.run("DEL notifications:alice").await;
    assert_eq!(functions.titles("alice").await, ["one"]);
}
