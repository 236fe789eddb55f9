//! SQL sources on every database.

use serde_json::json;
use support::{Functions, RedisServer, token};

use crate::api::records::Database;

const RESOURCES: &str = r#"
[[resource]]
path = "profile/{userId}"
access = "subject:userId"
fresh = "1h"
cool_down = "1ms"
tags = ["user:{userId}"]
[resource.sql]
query = "SELECT profile FROM people WHERE id = {userId} OR id = 'also ' || {userId}"

[[resource]]
path = "wrong/{what}"
access = "public"
fresh = "1h"
cool_down = "1ms"
sql = { query = "SELECT profile, id FROM people WHERE id = {what}" }

[[resource]]
path = "everyone"
access = "public"
fresh = "1h"
cool_down = "1ms"
sql = { query = "SELECT profile FROM people" }
"#;

const TABLE: &str = "CREATE TABLE people (id TEXT PRIMARY KEY, profile TEXT)";
const ROWS: &str = r#"INSERT INTO people VALUES
    ('alice', '{"name":"Alice O''Hara","n":[]}'), ('bob', NULL), ('carol', 'no json')"#;

async fn check(functions: &Functions, redis: &RedisServer, backend: &str) {
    let read = async |path: &str, user: &str| {
        let call = functions.get(&format!("/cache/{path}"));
        call.token(&token(user, "")).send().await
    };
    let alice = read("profile/alice", "alice").await.expect(200);
    assert_eq!(alice.json(), json!({"name": "Alice O'Hara", "n": []}), "{backend}");
    assert!(alice.header("cache-status").contains("stored"), "{backend}");
    let hit = read("profile/alice", "alice").await.expect(200);
    assert!(hit.header("cache-status").starts_with("bellwire; hit"), "{backend}");
    assert_eq!(redis.run::<String>("GET profile:alice").await, alice.text());
    read("profile/bob", "bob").await.expect_problem(404, "not_found");
    read("profile/dave", "dave").await.expect_problem(404, "not_found");
    read("profile/carol", "carol").await.expect_problem(502, "origin_failed");
    read("wrong/alice", "x").await.expect_problem(502, "origin_failed");
    read("everyone", "x").await.expect_problem(502, "origin_failed");
    // Bound, not pasted: this is an id like any other.
    read("profile/x%7C%7Cx", "x||x").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn the_records_database_is_a_source() {
    for database in Database::each().await {
        let redis = RedisServer::start().await;
        database.execute(&format!("{TABLE}; {ROWS}"));
        let setup = database.configure(Functions::with(&redis)).resources(RESOURCES);
        check(&setup.start().await, &redis, database.name()).await;
    }
}
