//! Marks and deletes of other services' elements, which are in the list alone.

use serde_json::{Value, json};
use support::{Answer, Functions, Hub, RedisServer, token};

const LIST: &str = "notifications:alice";

struct World {
    redis: RedisServer,
    functions: Functions,
}

impl World {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let functions = Functions::start(&redis).await;
        Self { redis, functions }
    }

    async fn push(&self, element: &str) {
        let _: i64 = self.redis.run_words(&["LPUSH", LIST, element]).await;
    }

    async fn delete(&self, id: &str) -> Answer {
        let path = format!("/users/alice/notifications/{id}");
        self.functions.call("DELETE", &path).token(&token("alice", "")).send().await
    }

    async fn mark(&self, body: Value) -> Value {
        let call = self.functions.post("/users/alice/notifications/read", body.to_string());
        call.token(&token("alice", "")).send().await.expect(200).json()
    }

    async fn entry(&self, id: &str) -> Answer {
        let path = format!("/users/alice/notifications/{id}");
        self.functions.get(&path).token(&token("alice", "")).send().await
    }

    async fn feed(&self) -> Value {
        self.functions.feed("alice").await.expect(200).json()
    }

    /// Title and `readAt` of each entry.
    async fn marks(&self) -> Vec<(String, Option<String>)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let feed = self.feed().await;
        let entries = feed["notifications"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| (text(&entry["title"]).unwrap(), text(&entry["readAt"])))
            .collect()
    }
}

#[tokio::test]
async fn an_element_with_an_id_is_deleted_wherever_it_lies() {
    let world = World::start().await;
    let hub = Hub::start(&world.redis).await;
    // At the bottom, between ours, twice, and on top.
    world.push(r#"{"id":"old.1","title":"bottom"}"#).await;
    world.functions.notify("alice", "ours 1").await;
    for element in [
        r#"{"title":"seventeen", "id" : 17}"#,
        r#"{"id":"17x","title":"another id"}"#,
        r#"{"id":17.0,"title":"seventeen again"}"#,
        r#"{"title":"without an id"}"#,
        "garbage",
    ] {
        world.push(element).await;
    }
    world.functions.notify("alice", "ours 2").await;
    world.push(r#"{"id":"top","title":"top"}"#).await;
    let mut socket = hub.connect("alice").await;

    for (id, left) in [
        ("17", &["top", "ours 2", "without an id", "another id", "ours 1", "bottom"][..]),
        ("top", &["ours 2", "without an id", "another id", "ours 1", "bottom"]),
        ("old.1", &["ours 2", "without an id", "another id", "ours 1"]),
    ] {
        world.delete(id).await.expect(204);
        let frame = socket.json().await;
        assert_eq!(frame, json!({"type": "removed", "ids": [id], "unread": 2}));
        assert_eq!(world.functions.titles("alice").await, left, "{id}");
        world.delete(id).await.expect_problem(404, "not_found");
        world.entry(id).await.expect_problem(404, "not_found");
    }
    assert_eq!(world.feed().await["unread"], 2);
    world.functions.notify("alice", "ours 3").await;
    assert_eq!(socket.titles(1).await, ["ours 3"]);

    // Others than the user need the scope; unknown ids of Bellwire's form are unknown.
    let path = "/users/alice/notifications/17x";
    let other = world.functions.call("DELETE", path).token(&token("bob", "feed:read"));
    other.send().await.expect_problem(403, "forbidden");
    world.delete("01234567-89ab-7def-8123-456789abcdef").await.expect_problem(404, "not_found");
    assert!(socket.is_silent().await);
}

#[tokio::test]
async fn a_list_of_other_services_alone_loses_an_element_too() {
    let world = World::start().await;
    for element in [r#"{"id":1,"title":"a"}"#, r#"{"id":2,"title":"b"}"#] {
        world.push(element).await;
    }
    world.delete("1").await.expect(204);
    assert_eq!(world.functions.titles("alice").await, ["b"]);
    world.delete("2").await.expect(204);
    assert_eq!(world.functions.titles("alice").await, [""; 0]);
    world.functions.notify("alice", "ours").await;
    assert_eq!(world.functions.titles("alice").await, ["ours"]);

    let _: () = world.redis.run_words(&["SET", "notifications:bob", "x", "EX", "60"]).await;
    let call = world.functions.call("DELETE", "/users/bob/notifications/1");
    call.token(&token("bob", "")).send().await.expect_problem(409, "wrong_type");
}

#[tokio::test]
async fn an_element_with_an_id_is_marked_as_read() {
    let world = World::start().await;
    let hub = Hub::start(&world.redis).await;
    let theirs = [r#"{"id":17,"title":"number"}"#, r#"{"id":"x-1","title":"text","n":[]}"#];
    world.push(theirs[0]).await;
    let ours = world.functions.notify("alice", "ours").await;
    world.push(theirs[1]).await;
    world.push(r#"{"id":"y","title":"unread"}"#).await;
    let mut socket = hub.connect("alice").await;

    let answer = world.mark(json!({"ids": ["17", "x-1", "nobody"]})).await;
    assert_eq!(answer, json!({"unread": 1}), "they never count");
    let frame = socket.json().await;
    assert_eq!(frame, json!({"type": "read", "ids": ["17", "x-1", "nobody"], "unread": 1}));
    let marks = world.marks().await;
    let read: Vec<_> = marks.iter().map(|(title, at)| (title.as_str(), at.is_some())).collect();
    assert_eq!(read, [("unread", false), ("text", true), ("ours", false), ("number", true)]);
    let one = world.entry("17").await.expect(200).json();
    assert_eq!(one["readAt"].as_str(), marks[3].1.as_deref());
    let list = world.redis.list(LIST).await;
    assert_eq!((&*list[3], &*list[1]), (theirs[0], theirs[1]), "their bytes stay as they are");

    // A mark has its first time; one up to a seq is for ours alone. Both outlive a load.
    world.mark(json!({"ids": ["x-1"]})).await;
    world.mark(json!({"upTo": 5})).await;
    world.functions.notify("alice", "next").await;
    let _: i64 = world.redis.run_words(&["HDEL", "bw:feed:{notifications:alice}", "epoch"]).await;
    let again = world.marks().await;
    assert_eq!((&again[2], &again[4], again[1].1.is_some()), (&marks[1], &marks[3], false));
    assert!(again[3].1.is_some() && again[0].1.is_none());

    // A deleted one takes its mark along.
    world.delete("x-1").await.expect(204);
    world.push(theirs[1]).await;
    assert_eq!(world.marks().await[0], ("text".to_owned(), None));
    let id = ours["id"].as_str().unwrap();
    assert_eq!(world.entry(id).await.expect(200).json()["title"], "ours");
}

#[tokio::test]
async fn a_list_of_other_services_alone_is_marked_too() {
    let world = World::start().await;
    world.push(r#"{"id":"a","title":"a"}"#).await;
    assert_eq!(world.mark(json!({"ids": ["a"]})).await, json!({"unread": 0}));
    assert!(world.marks().await[0].1.is_some());
    // The marks are nowhere else.
    let _: i64 = world.redis.run_words(&["DEL", "bw:feed:{notifications:alice}"]).await;
    assert!(world.marks().await[0].1.is_none());
}
