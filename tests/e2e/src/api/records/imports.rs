//! Imports: history of another system, with its times and marks, in the feed and on no channel.

mod live;

use std::sync::LazyLock;

use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::time::rfc3339;
use support::{Answer, Published, jwt, token};

use super::{DAY_MS, MINUTE_MS, On, each_database, seqs};

/// A month ago: younger than what a prune drops, the same all through a run.
static BEGAN_MS: LazyLock<i64> = LazyLock::new(|| (jwt::now_s() - 30 * 86_400) * 1000);

fn created(number: usize) -> String {
    rfc3339(*BEGAN_MS + number as i64 * MINUTE_MS)
}

/// When those that were read were read.
fn opened() -> String {
    rfc3339(*BEGAN_MS + 10 * DAY_MS)
}

/// An entry of another system; `number` orders them by time. Every other one was read there.
fn entry(user: &str, number: usize) -> Value {
    let mut entry = json!({
        "userId": user, "title": number.to_string(), "data": {"old": number},
        "createdAt": created(number),
    });
    if number % 2 == 1 {
        entry["readAt"] = opened().into();
    }
    entry
}

fn history(user: &str, numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers.map(|number| entry(user, number)).collect()
}

fn keyed(mut entry: Value, key: &str) -> Value {
    entry["idempotencyKey"] = key.into();
    entry
}

impl On {
    async fn try_import(&self, items: &[Value]) -> Answer {
        let body = json!({ "notifications": items }).to_string();
        let call = self.functions.post("/notifications/import", body);
        call.token(&token("migration", "notifications:import")).send().await
    }

    async fn import(&self, items: &[Value]) -> Vec<Value> {
        let answer = self.try_import(items).await.expect(200).json();
        answer["results"].as_array().expect("results").clone()
    }

    /// Imports entries that must all be accepted, and returns them.
    async fn accepted(&self, items: &[Value]) -> Vec<Value> {
        let results = self.import(items).await;
        let entry = |result: &Value| {
            assert_eq!(result["status"], 201, "{}: {result}", self.name);
            result["notification"].clone()
        };
        results.iter().map(entry).collect()
    }
}

fn statuses(results: &[Value]) -> Vec<i64> {
    results.iter().map(|result| result["status"].as_i64().unwrap()).collect()
}

fn titles(page: &Value) -> Vec<&str> {
    let entries = page["notifications"].as_array().unwrap();
    entries.iter().map(|entry| entry["title"].as_str().unwrap()).collect()
}

fn parsed(messages: &[String]) -> Vec<Value> {
    messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[tokio::test]
async fn it_keeps_times_marks_and_order_and_publishes_nothing() {
    for on in each_database().await {
        let (published, events) =
            (Published::subscribe(&on.redis).await, Published::events(&on.redis).await);
        // The first one is the oldest for the feed, whatever its time.
        let mut items = history("a", 0..4);
        items.swap(0, 3);
        items.insert(2, entry("b", 9));
        let entries = on.accepted(&items).await;
        let seqs_of_a = [0, 1, 3, 4].map(|at| entries[at]["seq"].as_i64().unwrap());
        assert_eq!((seqs_of_a, &entries[2]["seq"]), ([1, 2, 3, 4], &json!(1)), "{}", on.name);
        for (item, entry) in items.iter().zip(&entries) {
            assert_eq!(entry["title"], item["title"], "{}", on.name);
            assert_eq!(entry["data"], item["data"], "{}", on.name);
            assert_eq!(entry["createdAt"], item["createdAt"], "{}", on.name);
            assert_eq!(entry.get("readAt"), item.get("readAt"), "{}", on.name);
            assert_eq!((&entry["imported"], &entry["delivery"]), (&json!(true), &json!("sent")));
        }

        let page = on.page("a", "").await;
        assert_eq!((titles(&page), &page["unread"]), (vec!["0", "2", "1", "3"], &json!(2)));
        assert_eq!(page["notifications"][2], entries[1], "{}", on.name);
        let unread = on.page("a", "unread=true").await;
        assert_eq!((titles(&unread), &unread["unread"]), (vec!["0", "2"], &json!(2)));

        // Hubs alone are told, of the places and of the number.
        let told = parsed(&events.exactly(4).await);
        let of_a: Vec<_> = told.iter().filter(|event| event["userId"] == "a").collect();
        let epoch = &of_a[0]["bw"]["epoch"];
        let places = json!({"type": "muted", "userId": "a",
            "bw": {"epoch": epoch, "seq": 4, "first": 1}});
        let number = json!({"type": "read", "userId": "a", "ids": [], "unread": 2, "until": "~"});
        assert_eq!(of_a, [&places, &number], "{}", on.name);
        assert_eq!(published.seqs("a").await, [0i64; 0], "{}", on.name);
        assert_eq!(on.database.count("push_job"), 0, "{}", on.name);

        // From the record: the same bytes, the same page. What is created later lies above.
        let list = on.redis.list("notifications:a").await;
        assert!(list[0].contains(r#""userId":"a","seq":4,"imported":true,"title":"0","#));
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        assert_eq!(on.page("a", "").await, page, "{}", on.name);
        assert_eq!(on.redis.list("notifications:a").await, list, "{}", on.name);
        on.functions.notify("a", "new").await;
        assert_eq!(published.seqs("a").await, [5], "{}", on.name);
        let page = on.page("a", "").await;
        assert_eq!((seqs(&page), &page["unread"]), (vec![5, 4, 3, 2, 1], &json!(3)), "{}", on.name);
    }
}

#[tokio::test]
async fn it_lies_above_our_entries_and_below_those_of_other_services() {
    for on in each_database().await {
        on.functions.notify("a", "ours").await;
        for title in ["theirs 1", "theirs 2"] {
            let theirs = json!({"id": title, "title": title}).to_string();
            on.redis.run_words::<redis::Value>(&["LPUSH", "notifications:a", &theirs]).await;
            let alone = ["LPUSH", "notifications:b", &theirs];
            on.redis.run_words::<redis::Value>(&alone).await;
        }
        let published = Published::subscribe(&on.redis).await;
        on.accepted(&[history("a", 0..3), history("b", 0..3)].concat()).await;
        let page = on.page("a", "").await;
        assert_eq!(titles(&page), ["theirs 2", "theirs 1", "2", "1", "0", "ours"], "{}", on.name);
        assert_eq!(page["unread"], 3, "{}: ours, 0 and 2", on.name);
        let alone = on.page("b", "").await;
        assert_eq!(titles(&alone), ["theirs 2", "theirs 1", "2", "1", "0"], "{}", on.name);
        assert_eq!(published.seqs("a").await, [0i64; 0], "{}", on.name);

        // The next ones stay below them, too, and a create is on top of all.
        on.accepted(&history("a", 3..5)).await;
        on.functions.notify("a", "new").await;
        let page = on.page("a", "").await;
        let expected = ["new", "theirs 2", "theirs 1", "4", "3", "2", "1", "0", "ours"];
        assert_eq!((titles(&page), &page["unread"]), (expected.to_vec(), &json!(5)), "{}", on.name);
        assert_eq!(published.seqs("a").await, [7], "{}", on.name);
        // The list has one order, however it is read.
        on.redis.run_words::<redis::Value>(&["DEL", "bw:feed:{notifications:a}"]).await;
        assert_eq!(titles(&on.page("a", "").await), expected, "{}", on.name);
    }
}

#[tokio::test]
async fn a_repeat_of_a_key_is_the_same_entry() {
    for on in each_database().await {
        let items: Vec<Value> = history("a", 0..3)
            .into_iter()
            .enumerate()
            .map(|(at, item)| keyed(item, &format!("k{at}")))
            .collect();
        let first = on.accepted(&items).await;
        assert_eq!(on.accepted(&items).await, first, "{}", on.name);
        // Beside new ones, without a key and with one, and twice in a call.
        let mixed = [entry("a", 3), items[1].clone(), keyed(entry("a", 4), "k4"), items[1].clone()];
        let mixed = on.accepted(&[&mixed[..], &mixed[2..3]].concat()).await;
        assert_eq!((&mixed[1], &mixed[3], &mixed[4]), (&first[1], &first[1], &mixed[2]));
        assert_eq!(seqs(&on.page("a", "").await), [5, 4, 3, 2, 1], "{}", on.name);

        // Every member belongs to the request.
        for (member, value) in [
            ("title", json!("other")),
            ("createdAt", json!(created(7))),
            ("readAt", json!(created(8))),
            ("userId", json!("b")),
        ] {
            let mut other = items[1].clone();
            other[member] = value;
            let results = on.import(&[other, entry("c", 1)]).await;
            assert_eq!(statuses(&results), [422, 201], "{}: {member}", on.name);
            assert_eq!(results[0]["error"]["code"], "idempotency_mismatch");
        }
        // A create and another caller have keys of their own.
        let create = on.create_with_key("k0", json!({"userId": "a", "title": "new"})).await;
        assert_eq!(create.expect(201).json()["seq"], 6, "{}", on.name);
        let body = json!({"notifications": [keyed(entry("a", 0), "k0")]}).to_string();
        let call = on.functions.post("/notifications/import", body);
        let other = call.token(&token("another", "notifications:import")).send().await;
        assert_eq!(other.expect(200).json()["results"][0]["notification"]["seq"], 7);

        // Marked, pruned, deleted or erased since: the answer is the first one, and nothing comes back.
        let marks = "/users/a/notifications/read";
        on.call("POST", marks, json!({"upTo": 7})).await.expect(200);
        on.call("POST", "/admin/prune", Value::Null).await.expect(200);
        let path = format!("/users/a/notifications/{}", first[0]["id"].as_str().unwrap());
        on.call("DELETE", &path, Value::Null).await.expect(204);
        on.call("POST", "/admin/prune", Value::Null).await.expect(200);
        assert_eq!(on.accepted(&items).await, first, "{}", on.name);
        let page = on.page("a", "").await;
        assert_eq!((seqs(&page), &page["unread"]), (vec![7, 6, 5, 4, 3, 2], &json!(0)));
        on.call("DELETE", "/users/a", Value::Null).await.expect(204);
        assert_eq!(on.accepted(&items).await, first, "{}", on.name);
        assert_eq!(seqs(&on.page("a", "").await), [0i64; 0], "{}", on.name);
    }
}

#[tokio::test]
async fn one_key_at_the_same_time_is_imported_once() {
    for on in each_database().await {
        let items = [keyed(entry("a", 0), "k"), entry("b", 1), keyed(entry("c", 2), "l")];
        let answers = join_all((0..12).map(|_| on.accepted(&items))).await;
        let ids = |at: usize| -> std::collections::BTreeSet<String> {
            answers.iter().map(|entries| entries[at]["id"].to_string()).collect()
        };
        assert_eq!((ids(0).len(), ids(1).len(), ids(2).len()), (1, 12, 1), "{}", on.name);
        let expected: Vec<i64> = (1..=12).rev().collect();
        assert_eq!(seqs(&on.page("b", "").await), expected, "{}", on.name);
        assert_eq!(seqs(&on.page("a", "").await), [1], "{}", on.name);
    }
}

#[tokio::test]
async fn bad_items_are_named_and_the_others_imported() {
    for on in each_database().await {
        let mut items = history("a", 0..9);
        for (at, member, value) in [
            (1, "createdAt", Value::Null),
            (2, "createdAt", json!("yesterday")),
            (3, "createdAt", json!("2126-09-01T00:00:00Z")),
            (4, "readAt", json!("2126-09-01T00:00:00Z")),
            (5, "push", json!({"when": "always"})),
            (6, "seq", json!(1)),
            (7, "idempotencyKey", json!("")),
        ] {
            items[at][member] = value;
        }
        items.push(json!(5));
        let results = on.import(&items).await;
        let expected = [201, 400, 400, 400, 400, 400, 400, 400, 201, 400];
        assert_eq!(statuses(&results), expected, "{}", on.name);
        let named: Vec<_> = (1..8).map(|at| results[at]["error"]["field"].clone()).collect();
        let fields = ["createdAt", "createdAt", "createdAt", "readAt", "push", "seq"];
        assert_eq!(named[..6], fields, "{}", on.name);
        assert_eq!(named[6], "idempotencyKey", "{}", on.name);
        assert_eq!(results[1]["error"]["code"], "missing_field", "{}", on.name);
        assert_eq!(titles(&on.page("a", "").await), ["8", "0"], "{}", on.name);

        assert_eq!(on.import(&[]).await, [Value::Null; 0]);
        let many = on.try_import(&history("a", 0..501)).await;
        many.expect_problem(400, "limit_exceeded");
        let body = json!({"notifications": [entry("a", 0)]}).to_string();
        let call = on.functions.post("/notifications/import", body);
        let other = call.token(&token("svc", "notifications:write")).send().await;
        other.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn preferences_mute_no_history() {
    for on in each_database().await {
        let put = on.functions.call("PUT", "/users/a/preferences").token(&token("a", ""));
        let body = json!({"kinds": {"like": {"feed": false}}}).to_string();
        put.body(body).send().await.expect(204);
        let mut like = entry("a", 0);
        like["kind"] = "like".into();
        let entries = on.accepted(&[like]).await;
        assert!(entries[0].get("muted").is_none() && entries[0].get("readAt").is_none());
        let page = on.page("a", "unread=true").await;
        assert_eq!((titles(&page), &page["unread"]), (vec!["0"], &json!(1)), "{}", on.name);
    }
}
