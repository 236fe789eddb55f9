use serde_json::json;
use support::{Functions, Hub, RedisServer};

use crate::world::World;

const RESOURCES: &str = r#"
[[resource]]
path = "people/{id}"
access = "public"
fresh = "1h"
tags = ["person:{id}"]
sql = { query = "SELECT profile FROM people WHERE id = {id}" }
"#;

#[tokio::test]
async fn values_are_read_and_invalidated() {
    let redis = RedisServer::start().await;
    let functions = Functions::with(&redis).resources(RESOURCES).start().await;
    let hub = Hub::start(&redis).await;
    let world = World::of(redis, functions, hub);
    let database = world.functions.record.open();
    let value = r#"{"name":"Alice","n":1.0,"list":[]}"#;
    database.execute("CREATE TABLE people (id TEXT PRIMARY KEY, profile TEXT)", []).unwrap();
    database.execute("INSERT INTO people VALUES ('alice', ?1)", [value]).unwrap();

    let first = world.run(&["cache", "get", "people/alice"]).await.expect(0);
    assert_eq!(first.stdout.trim_end(), value);
    assert!(first.stderr.contains("fwd=miss"), "{first:?}");
    assert!(first.stderr.contains("fresh for ") && !first.stderr.contains("ttl="), "{first:?}");
    let hit = world.run(&["cache", "get", "/cache/people/alice", "--json"]).await.expect(0);
    assert!(hit.stdout.trim_end().ends_with(&format!(",\"value\":{value}}}")), "{hit:?}");
    assert!(hit.one()["cacheStatus"].as_str().unwrap().starts_with("bellwire; hit"));

    let status = async || {
        let done = world.run(&["cache", "get", "people/alice", "--json"]).await.expect(0);
        done.one()["cacheStatus"].as_str().unwrap().to_owned()
    };
    let done = world.run(&["cache", "invalidate", "people/alice"]).await.expect(0);
    assert_eq!(done.stdout, "invalidated: 1 path\n");
    assert!(status().await.contains("fwd=miss"));
    let tag = ["cache", "invalidate", "--tag", "person:alice", "--json"];
    assert_eq!(world.run(&tag).await.expect(0).one(), json!({"invalidated": 1}));
    assert!(status().await.contains("fwd=miss"));

    world.run(&["cache", "get", "people/bob"]).await.expect(5).saying(&["not_found"]);
    world.run(&["cache", "get", "nothing"]).await.expect(5);
    world.run(&["cache", "invalidate"]).await.expect(2);
}
