//! The built component in a real host, on a real Redis.

use support::{Functions, RedisServer, paths};

async fn start(redis: &RedisServer) -> Functions {
    Functions::of(paths::workspace().join("examples/hello/spin.toml"), redis).start().await
}

#[tokio::test]
async fn the_route_answers() {
    let redis = RedisServer::start().await;
    let hello = start(&redis).await;
    let answer = hello.plain().get("/hello").send().await.expect(200);
    assert_eq!(answer.text(), r#"{"hello":"world"}"#);
    hello.plain().get("/hello/nothing").send().await.expect_problem(404, "not_found");
    let refused = hello.plain().post("/hello", "").send().await;
    assert_eq!(refused.expect_problem(405, "method_not_allowed").header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn the_resource_is_cached_until_it_is_invalidated() {
    let redis = RedisServer::start().await;
    let hello = start(&redis).await;
    let client = hello.plain();
    let read = async || client.get("/hello/time").send().await.expect(200);
    let first = read().await;
    assert_eq!(first.header("cache-status"), "bellwire; fwd=miss; stored; ttl=4");
    assert!(first.header("cache-control").starts_with("public, max-age=4"));
    let second = read().await;
    assert!(second.header("cache-status").starts_with("bellwire; hit; ttl="));
    assert_eq!(second.text(), first.text());

    let known = client.get("/hello/time").header("if-none-match", first.header("etag"));
    assert_eq!(known.send().await.expect(304).text(), "");

    // Another service deletes the key: an invalidation.
    redis.run::<()>("DEL hello:time").await;
    assert!(read().await.header("cache-status").starts_with("bellwire; fwd=miss; stored"));
}
