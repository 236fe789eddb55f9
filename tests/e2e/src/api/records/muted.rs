//! Muted notifications, of a kind that their user does not want in the feed: read from the start,
//! and told to hubs by their place alone.

mod places;

use serde_json::{Value, json};
use support::{Functions, Published, token};

use super::{On, each_database, seqs};

/// A user's notification of a kind.
fn of_kind(user: &str, kind: Option<&str>, title: &str) -> Value {
    let mut body = json!({"userId": user, "title": title});
    if let Some(kind) = kind {
        body["kind"] = kind.into();
    }
    body
}

impl On {
    async fn mute(&self, user: &str, kinds: &[&str]) {
        mute(&self.functions, user, kinds).await;
    }

    /// Creates one; fails unless the answer says whether it is muted and read.
    async fn create_of(&self, kind: Option<&str>, title: &str, is_muted: bool) -> Value {
        let created = self.functions.create(&of_kind("a", kind, title)).await.expect(201).json();
        check(&created, is_muted, self.name);
        created
    }
}

/// Wants all kinds in the feed but these, and some others without pushes.
async fn mute(functions: &Functions, user: &str, kinds: &[&str]) {
    let mut all = json!({"wanted": {"feed": true}, "unpushed": {"push": false}});
    for kind in kinds {
        all[kind] = json!({"feed": false});
    }
    let put = functions.call("PUT", &format!("/users/{user}/preferences"));
    let body = json!({ "kinds": all }).to_string();
    put.token(&token(user, "")).body(body).send().await.expect(204);
}

fn check(entry: &Value, is_muted: bool, name: &str) {
    let expected = if is_muted { entry["createdAt"].clone() } else { Value::Null };
    assert_eq!(entry["readAt"], expected, "{name}: {entry}");
    assert_eq!(entry["muted"], if is_muted { json!(true) } else { Value::Null }, "{name}");
}

fn muted_event(user: &str, seq: i64, epoch: &Value) -> Value {
    json!({"type": "muted", "userId": user, "bw": {"epoch": epoch, "seq": seq}})
}

fn parsed(messages: &[String]) -> Vec<Value> {
    messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// The entries of a page without `delivery`, which depends on where they were read.
fn entries(page: &Value) -> Vec<Value> {
    let mut entries = page["notifications"].as_array().unwrap().clone();
    for entry in &mut entries {
        entry.as_object_mut().unwrap().remove("delivery");
    }
    entries
}

#[tokio::test]
async fn it_is_read_from_the_start_and_not_published() {
    for on in each_database().await {
        let (published, events) =
            (Published::subscribe(&on.redis).await, Published::events(&on.redis).await);
        on.create_of(Some("like"), "before", false).await;
        on.mute("a", &["like"]).await;
        on.create_of(Some("like"), "muted", true).await;
        for kind in [Some("wanted"), Some("unpushed"), Some("lik"), Some(""), None] {
            on.create_of(kind, "shown", false).await;
        }
        let expiring = json!({
            "userId": "a", "title": "t", "kind": "like", "expiresAt": "2020-01-01T00:00:00Z",
        });
        check(&on.functions.create(&expiring).await.expect(201).json(), true, on.name);
        let bobs = on.functions.create(&of_kind("b", Some("like"), "t")).await.expect(201).json();
        check(&bobs, false, on.name);

        let shown = parsed(&published.exactly(7).await);
        let epoch = &shown[0]["bw"]["epoch"];
        assert!(shown.iter().all(|message| message["notification"].get("muted").is_none()));
        let expected = [muted_event("a", 2, epoch), muted_event("a", 8, epoch)];
        assert_eq!(parsed(&events.exactly(2).await), expected, "{}", on.name);
        let list = on.redis.list("notifications:a").await;
        assert!(list[6].contains(r#""userId":"a","seq":2,"muted":true,"title":"muted","#));

        let page = on.page("a", "").await;
        assert_eq!((seqs(&page), &page["unread"]), (vec![7, 6, 5, 4, 3, 2, 1], &json!(6)));
        for entry in page["notifications"].as_array().unwrap() {
            check(entry, entry["seq"] == 2, on.name);
        }
        let path =
            format!("/users/a/notifications/{}", page["notifications"][5]["id"].as_str().unwrap());
        let one = on.call("GET", &path, Value::Null).await.expect(200).json();
        assert_eq!(one, page["notifications"][5], "{}", on.name);
        let unread = on.page("a", "unread=true").await;
        assert_eq!((seqs(&unread), &unread["unread"]), (vec![7, 6, 5, 4, 3, 1], &json!(6)));

        // From the record: the same bytes in the feed, the same page, nothing published again.
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        assert_eq!(on.page("a", "").await, page, "{}", on.name);
        assert_eq!(on.redis.list("notifications:a").await, list, "{}", on.name);
        assert_eq!(on.page("a", "unread=true").await, unread, "{}", on.name);
        on.redis.kill();
        let offline = on.page("a", "").await;
        assert_eq!(entries(&offline), entries(&page), "{}", on.name);
        assert_eq!(offline["unread"], 6, "{}", on.name);
        assert_eq!(on.call("GET", &path, Value::Null).await.expect(200).json()["muted"], true);
    }
}

#[tokio::test]
async fn any_name_of_a_kind_is_compared_as_it_is() {
    let names =
        ["\"", "\\", "a\"b\\\\c", "é\u{1F600}", "\u{1}\n", "0", "$.x", "a.b", "like%", "null"];
    for on in each_database().await {
        on.mute("a", &names).await;
        for name in names {
            on.create_of(Some(name), name, true).await;
        }
        for other in ["\\\"", "a", "\\u00e9", "$", "x", "b", "NULL", "1"] {
            on.create_of(Some(other), other, false).await;
        }
        assert_eq!(on.page("a", "limit=1").await["unread"], 8, "{}", on.name);
        // Preferences apply to what is created from now on.
        on.mute("a", &[]).await;
        on.create_of(Some("\""), "later", false).await;
        assert_eq!(on.page("a", "limit=1").await["unread"], 9, "{}", on.name);
    }
}

#[tokio::test]
async fn a_repeat_has_the_first_answer_whatever_the_user_wants_since() {
    for on in each_database().await {
        on.mute("a", &["like"]).await;
        let repeat = async |key: &str| {
            let body = of_kind("a", Some("like"), "t");
            on.create_with_key(key, body).await.expect(201).json()
        };
        let first = repeat("k").await;
        check(&first, true, on.name);
        on.mute("a", &[]).await;
        assert_eq!(repeat("k").await, first, "{}", on.name);
        check(&repeat("k2").await, false, on.name);
        // The feed that a repeat brings back has the bytes of the first one.
        let list = on.redis.list("notifications:a").await;
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        assert_eq!(repeat("k").await, first, "{}", on.name);
        assert_eq!(on.redis.list("notifications:a").await, list, "{}", on.name);

        let path = format!("/users/a/notifications/{}", first["id"].as_str().unwrap());
        on.call("DELETE", &path, Value::Null).await.expect(204);
        assert_eq!(repeat("k").await, first, "{}: deleted", on.name);
        on.call("DELETE", "/users/a", Value::Null).await.expect(204);
        assert_eq!(repeat("k").await, first, "{}: erased", on.name);
        check(&repeat("k2").await, false, on.name);
        assert_eq!(seqs(&on.page("a", "").await), [0i64; 0], "{}", on.name);
    }
}

/// More than a feed window, in batches, with keys.
#[tokio::test]
async fn batches_and_pages_keep_them_apart() {
    const ENTRIES: i64 = 140;
    let is_muted = |seq: i64| seq % 3 == 0;
    for on in each_database().await {
        let (published, events) =
            (Published::subscribe(&on.redis).await, Published::events(&on.redis).await);
        for user in ["a", "b"] {
            on.mute(user, &["like"]).await;
        }
        let item = |seq: i64| {
            let kind = if is_muted(seq) { "like" } else { "note" };
            of_kind("a", Some(kind), &seq.to_string())
        };
        for first in [1, 71] {
            let mut items: Vec<Value> = (first..first + 70).map(item).collect();
            for (item, at) in items.iter_mut().zip(0..) {
                item["idempotencyKey"] = format!("{first} {}", at / 2 * 2).into();
                if at % 2 == 1 {
                    item["idempotencyKey"] = Value::Null;
                }
            }
            items.extend([of_kind("b", Some("like"), "b"), of_kind("c", Some("like"), "c")]);
            let results = on.batch(items.clone()).await;
            for (result, seq) in results[..70].iter().zip(first..) {
                check(&result["notification"], is_muted(seq), on.name);
                assert_eq!(result["notification"]["seq"], seq, "{}", on.name);
            }
            check(&results[70]["notification"], true, on.name);
            check(&results[71]["notification"], false, on.name);
            // Those with keys again, alone.
            let keyed: Vec<Value> = items.into_iter().step_by(2).take(35).collect();
            let again = on.batch(keyed).await;
            assert!(again.iter().eq(results[..70].iter().step_by(2)), "{}", on.name);
        }
        let of_a = (1..=ENTRIES).filter(|seq| is_muted(*seq)).count();
        published.exactly(ENTRIES as usize - of_a + 2).await;
        events.exactly(of_a + 2).await;

        let expected: Vec<i64> = (1..=ENTRIES).rev().filter(|seq| !is_muted(*seq)).collect();
        let in_window = expected.iter().filter(|seq| **seq > ENTRIES - 100).count();
        for query in ["limit=30", "limit=30&unread=true"] {
            let (mut all, mut cursor) = (Vec::new(), None);
            loop {
                assert!(all.len() <= 200, "{}: pages without end", on.name);
                let before = cursor.map(|next: String| format!("&before={next}"));
                let page = on.page("a", &format!("{query}{}", before.unwrap_or_default())).await;
                assert_eq!(page["unread"], in_window, "{}", on.name);
                for entry in page["notifications"].as_array().unwrap() {
                    check(entry, is_muted(entry["seq"].as_i64().unwrap()), on.name);
                }
                all.extend(seqs(&page));
                cursor = page["next"].as_str().map(str::to_owned);
                if cursor.is_none() {
                    break;
                }
            }
            let all_seqs: Vec<i64> = (1..=ENTRIES).rev().collect();
            let is_unread = query.ends_with("unread=true");
            assert_eq!(&all, if is_unread { &expected } else { &all_seqs }, "{}", on.name);
        }
        // A mark over all of them changes none that is muted.
        let before = entries(&on.page("a", "limit=100").await);
        let marks = "/users/a/notifications/read";
        let unread = on.call("POST", marks, json!({ "upTo": ENTRIES })).await.expect(200).json();
        assert_eq!(unread, json!({"unread": 0}), "{}", on.name);
        let after = entries(&on.page("a", "limit=100").await);
        let muted = |page: &[Value]| {
            page.iter().filter(|entry| entry["muted"] == true).cloned().collect::<Vec<_>>()
        };
        assert_eq!(muted(&before), muted(&after), "{}", on.name);
        assert!(after.iter().all(|entry| entry["readAt"].is_string()), "{}", on.name);
    }
}
