//! The components that `RECORD=postgres` builds, on a host that gives them no SQLite.

use serde_json::json;
use support::{Functions, Postgres, RedisServer, Setup, paths, token};

/// An application of those components, without a permission for SQLite.
fn with(redis: &RedisServer) -> Setup {
    let resources = paths::workspace().join("functions/cache/resources.toml");
    let setup = Functions::with(redis).resources(&std::fs::read_to_string(resources).unwrap());
    let path = setup.dir().join("app/spin.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for component in ["cache", "feed", "notifications", "ops", "tokens"] {
        let (built, without) = (paths::component(component), paths::without_sqlite(component));
        let source = |path: std::path::PathBuf| format!("source = \"{}\"", path.display());
        assert!(text.contains(&source(built.clone())), "{component}");
        text = text.replace(&source(built), &source(without));
    }
    let lines = text.lines().filter(|line| !line.starts_with("sqlite_databases"));
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    setup
}

#[tokio::test]
async fn with_postgres_it_does_everything() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let setup = with(&redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.url())
        .variable("postgres_host", postgres.address());
    let functions = setup.start().await;
    functions.get("/readyz").send().await.expect(200);
    assert_eq!(functions.notify("alice", "one").await["seq"], 1);
    // From the record, not from Redis.
    redis.run_words::<i64>(&["DEL", "notifications:alice"]).await;
    assert_eq!(functions.titles("alice").await, ["one"]);
    let alice = token("alice", "");
    let put = functions.call("PUT", "/users/alice/token").token(&alice);
    put.body(json!({"token": "t"}).to_string()).send().await.expect(204);
    redis.run_words::<i64>(&["DEL", "user:alice:token"]).await;
    let read = functions.get("/users/alice/token").token(&alice).send().await.expect(200);
    assert_eq!(read.json()["token"], "t");
    let prune = functions.post("/admin/prune", "").token(&token("ops", "ops:write"));
    prune.send().await.expect(200);
    assert_eq!(postgres.run("SELECT count(*) FROM bellwire.notifications"), "1");
}

#[tokio::test]
async fn asked_for_sqlite_it_says_what_it_is_without() {
    let redis = RedisServer::start().await;
    let functions = with(&redis).start().await;
    let expected = "config: the variable `record` is sqlite, and this build is without it";
    let answer = functions.get("/readyz").send().await.expect_problem(503, "not_ready");
    assert_eq!(answer.json()["detail"], expected);
    functions.get("/healthz").send().await.expect(200);
    let refused = functions.create(&json!({"userId": "alice", "title": "one"})).await;
    assert_eq!(refused.expect_problem(500, "internal").json()["detail"], expected);
    // What has no record does not care.
    let presence = functions.get("/presence").token(&token("svc", "presence:read"));
    presence.send().await.expect(200);
}
