//! A create that is repeated after its user was erased: its answer again, and no new entry.

mod everywhere;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Functions, Published, RedisServer, token};

use crate::api::records::{self, On};

async fn create(functions: &Functions, key: &str, user: &str, title: &str) -> Answer {
    let body = json!({"userId": user, "title": title}).to_string();
    let call = functions.post("/notifications", body).header("idempotency-key", key);
    call.token(&token("svc", "notifications:write")).send().await
}

async fn erase(functions: &Functions, user: &str) {
    let call = functions.call("DELETE", &format!("/users/{user}"));
    call.token(&token("an operator", "ops:write")).send().await.expect(204);
}

impl On {
    /// The entries, keys and counters that the record holds, as text.
    fn all(&self) -> String {
        let tables = self.database.tables();
        ["notifications", "erased_keys", "feed"].map(|table| tables[table].clone()).join("\n")
    }

    fn age_erased_keys(&self) {
        self.database.execute("UPDATE @erased_keys SET created_at_ms = created_at_ms - 86400001");
    }
}

#[tokio::test]
async fn a_key_outlives_the_erasure_of_its_user() {
    for on in records::each_database().await {
        let functions = &on.functions;
        let published = Published::subscribe(&on.redis).await;
        let first = create(functions, "welcome-secret", "alice", "private words").await.expect(201);
        let deleted = create(functions, "k2", "alice", "two").await.expect(201).json();
        let path = format!("/users/alice/notifications/{}", deleted["id"].as_str().unwrap());
        let call = functions.call("DELETE", &path).token(&token("alice", ""));
        call.send().await.expect(204);
        functions.notify("alice", "without a key").await;
        let bobs = create(functions, "k3", "bob", "three").await.expect(201).json();
        published.exactly(4).await;
        assert!(on.all().contains("private words"), "{}", on.name);
        erase(functions, "alice").await;
        erase(functions, "alice").await;

        // What is left tells neither content nor key, nor whose it was.
        let all = on.all();
        for word in ["private words", "welcome-secret", "k2", "svc:k2", "without"] {
            assert!(!all.contains(word), "{}: {word} is left: {all}", on.name);
        }
        assert_eq!(on.database.count("erased_keys"), 2, "{}", on.name);

        for _ in 0..2 {
            let again = create(functions, "welcome-secret", "alice", "private words").await;
            let again = again.expect(201);
            assert_eq!(again.json(), first.json(), "{}", on.name);
            assert_eq!(again.header("location"), first.header("location"));
            let other = create(functions, "welcome-secret", "alice", "other words").await;
            other.expect_problem(422, "idempotency_mismatch");
        }
        assert_eq!(create(functions, "k2", "alice", "two").await.expect(201).json(), deleted);
        assert_eq!(create(functions, "k3", "bob", "three").await.expect(201).json(), bobs);
        let keys = ["welcome-secret", "k2", "k4", "k4"];
        let items = keys.map(|key| {
            let title = if key == "k2" { "two" } else { "private words" };
            json!({"userId": "alice", "title": title, "idempotencyKey": key})
        });
        let call =
            functions.post("/notifications/batch", json!({"notifications": items}).to_string());
        let batch =
            call.token(&token("svc", "notifications:write")).send().await.expect(200).json();
        let seq = |at: usize| batch["results"][at]["notification"]["seq"].clone();
        assert_eq!([seq(0), seq(1), seq(2), seq(3)], [1, 2, 4, 4], "{}: {batch}", on.name);
        published.exactly(5).await;
        assert_eq!(functions.titles("alice").await, ["private words"], "{}", on.name);
    }
}

#[tokio::test]
async fn a_key_of_an_erased_user_expires_as_any_other() {
    for on in records::each_database().await {
        let functions = &on.functions;
        let first = create(functions, "k", "alice", "one").await.expect(201).json();
        erase(functions, "alice").await;
        on.age_erased_keys();
        let next = create(functions, "k", "alice", "one").await.expect(201).json();
        assert_ne!(next["id"], first["id"], "{}", on.name);
        assert_eq!(next["seq"], 2, "{}", on.name);
        assert_eq!(create(functions, "k", "alice", "one").await.expect(201).json(), next);

        erase(functions, "alice").await;
        on.age_erased_keys();
        let call = functions.post("/admin/prune", "").token(&token("an operator", "ops:write"));
        let pruned = call.send().await.expect(200).json();
        assert_eq!(pruned, json!({"pruned": 1, "done": true}), "{}", on.name);
        assert_eq!(on.database.count("erased_keys"), 0, "{}", on.name);
    }
}

#[tokio::test]
async fn many_keys_of_one_user_are_all_kept() {
    for on in records::each_database().await {
        let item =
            |at: usize| json!({"userId": "alice", "title": "t", "idempotencyKey": at.to_string()});
        let batch = async |ats: std::ops::Range<usize>| -> Vec<Value> {
            let body = json!({"notifications": ats.map(item).collect::<Vec<_>>()}).to_string();
            let call = on.functions.post("/notifications/batch", body);
            let answer = call.token(&token("svc", "notifications:write")).send().await;
            let results = answer.expect(200).json()["results"].as_array().unwrap().clone();
            results.into_iter().map(|result| result["notification"]["id"].clone()).collect()
        };
        let first = [batch(0..400).await, batch(400..800).await];
        erase(&on.functions, "alice").await;
        let again = [batch(0..400).await, batch(400..800).await];
        assert!(again == first, "{}: other entries", on.name);
        assert!(on.functions.titles("alice").await.is_empty(), "{}", on.name);
    }
}

#[tokio::test]
async fn creates_and_erasures_at_once_commit_a_key_once() {
    for on in records::each_database().await {
        let functions = &on.functions;
        create(functions, "k", "alice", "one").await.expect(201);
        let work = (0..24).map(async |at| {
            if at % 6 == 5 {
                erase(functions, "alice").await;
                return Value::Null;
            }
            create(functions, "k", "alice", "one").await.expect(201).json()["seq"].clone()
        });
        for seq in join_all(work).await {
            assert!(seq.is_null() || seq == 1, "{}: {seq}", on.name);
        }
        assert_eq!(functions.notify("alice", "two").await["seq"], 2, "{}", on.name);
    }
}

/// The tables as the first version made them, with its trigger.
const SQLITE_FIRST: &str = "
    CREATE TRIGGER feed_erased AFTER UPDATE OF erasures ON feed BEGIN
        DELETE FROM notifications WHERE user_id = new.user_id;
    END;
    DROP TRIGGER feed_emptied;
    DROP TABLE erased_keys;
    DROP TABLE erased_keys_schema;
    DROP TABLE write_check;";

#[tokio::test]
async fn a_record_of_the_version_before_keeps_its_keys_too() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let first = create(&functions, "k", "alice", "one").await.expect(201).json();
    functions.record.open().execute_batch(SQLITE_FIRST).unwrap();
    erase(&functions, "alice").await;
    assert_eq!(create(&functions, "k", "alice", "one").await.expect(201).json(), first);
    functions.get("/readyz").send().await.expect(200);
    let triggers = "SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE 'feed_e%'
        AND type = 'trigger'";
    assert_eq!(functions.record.value::<String>(triggers), "feed_emptied");
}
