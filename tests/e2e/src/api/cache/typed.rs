//! Parameters with a declared type, on every database and before an HTTP origin.

use serde_json::json;
use support::{Functions, Origin, RedisServer, token};

use crate::api::records::Database;

const RESOURCES: &str = r#"
[[resource]]
path = "product/{id:int}"
access = "public"
fresh = "1h"
tags = ["product:{id}"]
[resource.sql]
query = "SELECT product FROM products WHERE id = {id} OR {id} = small - 1000 OR {id} = big"

[[resource]]
path = "order/{id:uuid}"
access = "public"
fresh = "1h"
[resource.sql]
query = "SELECT content FROM orders WHERE id = {id}"

[[resource]]
path = "plain/{id}"
access = "public"
fresh = "1h"
cool_down = "1ms"
[resource.sql]
query = "SELECT product FROM products WHERE id = {id}"

[[resource]]
path = "cast/{id}"
access = "public"
fresh = "1h"
[resource.sql]
sqlite = "SELECT product FROM products WHERE id = {id}"
postgres = "SELECT product FROM products WHERE id = {id}::text::int"

[[resource]]
path = "remote/{id:int}"
access = "public"
fresh = "1h"
http = { url = "http://{{ settings_host }}/remote/{id}" }
"#;

const TABLES: &str = "
    CREATE TABLE products (id INTEGER PRIMARY KEY, small SMALLINT, big BIGINT, product TEXT);
    INSERT INTO products VALUES (7, 1, 9007199254740993, '{\"name\":\"Bell\"}');
";
const UUID: &str = "0192f0c1-2b6e-7cc0-8000-00000000abcd";

async fn check(functions: &Functions, redis: &RedisServer, backend: &str) {
    let read = async |path: &str| functions.get(&format!("/cache/{path}")).send().await;
    // Columns of 32, 16 and 64 bits.
    for id in ["7", "-999", "9007199254740993"] {
        let answer = read(&format!("product/{id}")).await.expect(200);
        assert_eq!(answer.json(), json!({"name": "Bell"}), "{backend}: {id}");
        assert_eq!(redis.run::<String>(&format!("GET product:{id}")).await, answer.text());
    }
    for id in ["8", "9223372036854775807", "-9223372036854775808"] {
        read(&format!("product/{id}")).await.expect_problem(404, "not_found");
    }
    for id in ["x", "07", "+7", "7.0", "-0", "9223372036854775808", "7-7"] {
        let answer = read(&format!("product/{id}")).await.expect_problem(400, "invalid_id");
        let problem = answer.json();
        assert_eq!(problem["field"], "id", "{backend}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("integer"), "{backend}: {problem}");
        assert_eq!(redis.run::<i64>(&format!("EXISTS product:{id}")).await, 0);
    }
    assert_eq!(read(&format!("order/{UUID}")).await.expect(200).json(), json!([1]), "{backend}");
    for id in ["x", &UUID.to_uppercase(), &UUID.replace('-', "")] {
        read(&format!("order/{id}")).await.expect_problem(400, "invalid_id");
    }
    assert_eq!(read("cast/7").await.expect(200).json(), json!({"name": "Bell"}), "{backend}");
    // An invalidation checks it, too.
    let call = functions.call("DELETE", "/cache/product/x").token(&token("svc", "cache:write"));
    call.send().await.expect_problem(400, "invalid_id");
}

#[tokio::test]
async fn an_origin_is_not_asked_for_what_is_of_no_such_type() {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    let setup = Functions::with(&redis).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    functions.get("/cache/remote/x").send().await.expect_problem(400, "invalid_id");
    assert_eq!(origin.count(), 0);
    functions.get("/cache/remote/7").send().await.expect(200);
    assert_eq!(origin.count_of("/remote/7"), 1);
}

#[tokio::test]
async fn a_database_is_given_typed_parameters() {
    for database in Database::each().await {
        let redis = RedisServer::start().await;
        let id = match &database {
            Database::Sqlite(_) => "TEXT",
            Database::Postgres(_) => "UUID",
        };
        let orders = format!("CREATE TABLE orders (id {id} PRIMARY KEY, content TEXT)");
        let row = format!("INSERT INTO orders VALUES ('{UUID}', '[1]')");
        database.execute(&format!("{TABLES} {orders}; {row}"));
        let setup = database.configure(Functions::with(&redis)).resources(RESOURCES);
        let functions = setup.start().await;
        check(&functions, &redis, database.name()).await;
        let plain = functions.get("/cache/plain/7").send().await;
        match &database {
            Database::Sqlite(_) => drop(plain.expect(200)),
            // It says what to declare.
            Database::Postgres(_) => {
                plain.expect_problem(502, "origin_failed");
                let words = ["plain/{id}", "fetch_failed", "expects int4", "{id:int}"];
                support::logged(|| functions.output(), &words).await;
            }
        }
    }
}
