//! What goes beyond one create and one page, on every database: keys, batches, paging, marks,
//! deletes.

mod database;
mod imports;
mod muted;
mod plans;
mod unread;

use serde_json::{Value, json};
use support::{Answer, Functions, RedisServer, token};

pub use self::database::Database;

/// The same functions on a database, which lives as long as they do.
pub struct On {
    pub name: &'static str,
    pub functions: Functions,
    pub redis: RedisServer,
    pub database: Database,
}

pub async fn each_database() -> Vec<On> {
    let mut all = Vec::new();
    for database in Database::each().await {
        all.push(On::start(database).await);
    }
    all
}

impl On {
    async fn start(database: Database) -> Self {
        let redis = RedisServer::start().await;
        let functions = database.configure(Functions::with(&redis)).start().await;
        database.migrate(&functions).await;
        Self { name: database.name(), functions, redis, database }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let token = token("svc", "notifications:write feed:read ops:write");
        let call = self.functions.call(method, path).token(&token);
        match body {
            Value::Null => call.send().await,
            body => call.body(body.to_string()).send().await,
        }
    }

    async fn create_with_key(&self, key: &str, body: Value) -> Answer {
        let token = token("svc", "notifications:write");
        let call = self.functions.post("/notifications", body.to_string()).token(&token);
        call.header("idempotency-key", key).send().await
    }

    /// Makes all entries of the record older.
    fn age_entries(&self, ms: i64) {
        let set = format!("SET created_at_ms = created_at_ms - {ms}");
        self.database.execute(&format!("UPDATE @notifications {set}"));
    }

    pub async fn batch(&self, notifications: Vec<Value>) -> Vec<Value> {
        let body = json!({ "notifications": notifications });
        let answer = self.call("POST", "/notifications/batch", body).await.expect(200).json();
        answer["results"].as_array().expect("results").clone()
    }

    async fn page(&self, user: &str, query: &str) -> Value {
        let path = format!("/users/{user}/notifications?{query}");
        self.call("GET", &path, Value::Null).await.expect(200).json()
    }
}

fn seqs(page: &Value) -> Vec<i64> {
    let entries = page["notifications"].as_array().expect("notifications");
    entries.iter().map(|entry| entry["seq"].as_i64().unwrap_or(0)).collect()
}

#[tokio::test]
async fn an_idempotency_key_replays_the_same_and_refuses_another_body() {
    for on in each_database().await {
        let body = json!({"userId": "a", "title": "t", "data": {"x": [1], "y": 2}});
        let first = on.create_with_key("k", body).await.expect(201);
        let respelled = json!({"title": "t", "data": {"y": 2, "x": [1]}, "userId": "a"});
        let again = on.create_with_key("k", respelled).await.expect(201);
        assert_eq!(first.json()["id"], again.json()["id"], "{}", on.name);
        assert_eq!(first.header("location"), again.header("location"));
        let other = json!({"userId": "a", "title": "other"});
        on.create_with_key("k", other.clone()).await.expect_problem(422, "idempotency_mismatch");
        on.create_with_key("k2", other).await.expect(201);
        assert_eq!(seqs(&on.page("a", "").await), [2, 1], "{}", on.name);

        // The delivery after the first answer was lost: a replay brings it.
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        let body = json!({"userId": "a", "title": "t", "data": {"x": [1], "y": 2}});
        on.create_with_key("k", body).await.expect(201);
        assert_eq!(on.redis.list("notifications:a").await.len(), 2, "{}", on.name);
        for bad in ["", &"x".repeat(256)] {
            let answer = on.create_with_key(bad, json!({"userId": "a", "title": "t"})).await;
            assert_eq!(answer.status, 400, "{bad}");
        }
    }
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

#[tokio::test]
async fn an_idempotency_key_holds_for_a_day() {
    for on in each_database().await {
        let create = async || {
            let answer = on.create_with_key("k", json!({"userId": "a", "title": "t"})).await;
            answer.expect(201).json()["id"].as_str().unwrap().to_owned()
        };
        let first = create().await;
        on.age_entries(DAY_MS - MINUTE_MS);
        assert_eq!(create().await, first, "{}: a minute before the end", on.name);
        on.age_entries(2 * MINUTE_MS);
        assert_ne!(create().await, first, "{}: a minute after it", on.name);
        assert_eq!(seqs(&on.page("a", "").await), [2, 1], "{}", on.name);
    }
}

#[tokio::test]
async fn one_key_at_the_same_time_commits_once() {
    for on in each_database().await {
        let calls = (0..20).map(|_| on.create_with_key("k", json!({"userId": "a", "title": "t"})));
        let answers = futures_util::future::join_all(calls).await;
        let ids: std::collections::BTreeSet<String> =
            answers.into_iter().map(|answer| answer.expect(201).json()["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{}", on.name);
        assert_eq!(seqs(&on.page("a", "").await), [1], "{}", on.name);
    }
}

#[tokio::test]
async fn a_batch_answers_item_by_item_in_order() {
    for on in each_database().await {
        let results = on
            .batch(vec![
                json!({"userId": "a", "title": "1"}),
                json!({"userId": "b", "title": "2", "idempotencyKey": "k"}),
                json!({"userId": "a"}),
                json!({"userId": "b", "title": "2", "idempotencyKey": "k"}),
                json!({"userId": "b", "title": "3", "idempotencyKey": "k"}),
                json!({"userId": "a", "title": "4", "expiresAt": "9999-12-31T23:59:59-14:00"}),
                json!(5),
            ])
            .await;
        let statuses: Vec<_> = results.iter().map(|result| result["status"].clone()).collect();
        assert_eq!(statuses, [201, 201, 400, 201, 422, 201, 400], "{}", on.name);
        assert_eq!(results[1]["notification"]["id"], results[3]["notification"]["id"]);
        assert_eq!(results[2]["error"]["code"], "missing_field");
        assert_eq!(results[2]["error"]["field"], "title");
        assert_eq!(seqs(&on.page("a", "").await), [2, 1], "{}", on.name);
        assert_eq!(seqs(&on.page("b", "").await), [1], "{}", on.name);
        let many = vec![json!({"userId": "a", "title": "t"}); 501];
        let body = json!({ "notifications": many });
        let answer = on.call("POST", "/notifications/batch", body).await;
        answer.expect_problem(400, "limit_exceeded");
    }
}

#[tokio::test]
async fn pages_reach_beyond_what_redis_holds() {
    for on in each_database().await {
        on.batch((0..150).map(|at| json!({"userId": "a", "title": at.to_string()})).collect())
            .await;
        let theirs = r#"{"id":"theirs","title":"x"}"#;
        on.redis.run_words::<redis::Value>(&["LPUSH", "notifications:a", theirs]).await;
        let (mut all, mut query) = (Vec::new(), "limit=40".to_owned());
        loop {
            let page = on.page("a", &query).await;
            assert!(all.len() <= 200, "{}: pages without end", on.name);
            assert_eq!(page["unread"], 99, "{}: of the feed window", on.name);
            all.extend(seqs(&page));
            match page["next"].as_str() {
                Some(next) => query = format!("limit=40&before={next}"),
                None => break,
            }
        }
        let expected: Vec<i64> = std::iter::once(0).chain((1..=150).rev()).collect();
        assert_eq!(all, expected, "{}", on.name);

        let newest = on.page("a", "limit=3").await;
        let id = |at: usize| newest["notifications"][at]["id"].as_str().unwrap().to_owned();
        assert_eq!(seqs(&on.page("a", &format!("limit=1&after={}", id(2))).await), [150]);
        assert_eq!(seqs(&on.page("a", "before=theirs&limit=2").await), [150, 149]);
        for (query, status) in [("before=nobody", 410), ("before=a%20b", 400), ("after=", 400)] {
            let path = format!("/users/a/notifications?{query}");
            assert_eq!(on.call("GET", &path, Value::Null).await.status, status, "{query}");
        }
    }
}

#[tokio::test]
async fn marks_and_deletes_hold_everywhere_and_may_be_repeated() {
    for on in each_database().await {
        on.batch((0..5).map(|at| json!({"userId": "a", "title": at.to_string()})).collect()).await;
        let page = on.page("a", "").await;
        let newest = page["notifications"][0]["id"].as_str().unwrap().to_owned();
        let marks = "/users/a/notifications/read";
        let one = on.call("POST", marks, json!({ "ids": [newest] })).await.expect(200).json();
        assert_eq!(one, json!({"unread": 4}), "{}", on.name);
        let up_to = on.call("POST", marks, json!({"upTo": 3})).await.expect(200).json();
        assert_eq!(up_to, json!({"unread": 1}), "{}", on.name);
        for bad in
            [json!({}), json!({"upTo": -1}), json!({"ids": 1}), json!({"upTo": 1, "ids": []})]
        {
            assert_eq!(on.call("POST", marks, bad).await.status, 400);
        }
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        let page = on.page("a", "").await;
        assert_eq!(page["unread"], 1, "{}: marks come from the record", on.name);
        assert!(page["notifications"][0]["readAt"].is_string());
        assert!(page["notifications"][1].get("readAt").is_none());

        let entry = format!("/users/a/notifications/{newest}");
        assert_eq!(on.call("GET", &entry, Value::Null).await.expect(200).json()["seq"], 5);
        for _ in 0..2 {
            on.call("DELETE", &entry, Value::Null).await.expect(204);
        }
        on.call("GET", &entry, Value::Null).await.expect_problem(404, "not_found");
        assert_eq!(seqs(&on.page("a", "").await), [4, 3, 2, 1], "{}", on.name);
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        assert_eq!(seqs(&on.page("a", "").await), [4, 3, 2, 1], "{}", on.name);
    }
}

#[tokio::test]
async fn an_erased_user_leaves_nothing_but_the_counter() {
    for on in each_database().await {
        on.batch((0..3).map(|at| json!({"userId": "a", "title": at.to_string()})).collect()).await;
        on.redis.run_words::<redis::Value>(&["SET", "user:a:token", "fcm", "EX", "60"]).await;
        on.redis.run_words::<redis::Value>(&["SADD", "online_users", "a"]).await;
        on.call("DELETE", "/users/a", Value::Null).await.expect(204);
        on.call("DELETE", "/users/a", Value::Null).await.expect(204);
        assert_eq!(seqs(&on.page("a", "").await), [0i64; 0], "{}", on.name);
        assert_eq!(on.redis.run_words::<i64>(&["EXISTS", "user:a:token", "online_users"]).await, 0);
        let next = on.functions.notify("a", "again").await;
        assert_eq!((&next["seq"], &next["delivery"]), (&json!(4), &json!("sent")), "{}", on.name);
        assert_eq!(seqs(&on.page("a", "").await), [4], "{}", on.name);

        // What another service left under these names does not keep a user from being erased.
        on.redis.run_words::<redis::Value>(&["DEL", "notifications:a"]).await;
        on.redis.run_words::<redis::Value>(&["SET", "notifications:a", "x", "EX", "60"]).await;
        on.redis.run_words::<redis::Value>(&["SET", "online_users", "x", "EX", "60"]).await;
        on.call("DELETE", "/users/a", Value::Null).await.expect(204);
        assert_eq!(seqs(&on.page("a", "").await), [0i64; 0], "{}", on.name);
    }
}

#[tokio::test]
async fn a_prune_drops_nothing_that_is_kept() {
    for on in each_database().await {
        on.functions.notify("a", "t").await;
        let pruned = on.call("POST", "/admin/prune", Value::Null).await.expect(200).json();
        assert_eq!(pruned, json!({"pruned": 0, "done": true}), "{}", on.name);
        assert_eq!(seqs(&on.page("a", "").await), [1]);
    }
}
