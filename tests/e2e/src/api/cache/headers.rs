//! Cache-Control, Age, ETag, Cache-Status.

use std::time::Duration;

use support::{Origin, Plan, RedisServer, eventually, token};

use super::{World, nth, setup};

#[tokio::test]
async fn a_miss_and_a_hit_say_what_they_are() {
    let world = World::start().await;
    let miss = world.get("fresh").await.expect(200);
    assert!(miss.header("cache-status").starts_with("bellwire; fwd=miss; stored; ttl="));
    let hit = world.get("fresh").await.expect(200);
    assert_eq!((hit.text(), miss.text()), (nth(1).as_str(), nth(1).as_str()));
    let status = hit.header("cache-status");
    let ttl: u32 = status.strip_prefix("bellwire; hit; ttl=").unwrap().parse().unwrap();
    assert!((90..=100).contains(&ttl), "{status}");
    let control = hit.header("cache-control");
    let max_age = control.strip_prefix("public, max-age=").unwrap();
    let (max_age, rest) = max_age.split_once(',').unwrap();
    assert!((94..=100).contains(&max_age.parse().unwrap()), "{control}");
    assert_eq!(rest, " stale-while-revalidate=300, stale-if-error=3600");
    assert_eq!(hit.header("age"), "0");
    assert_eq!(hit.header("etag"), miss.header("etag"));
    eventually("it grows older", async || {
        (world.get("fresh").await.header("age") == "1").then_some(())
    })
    .await;
    let private = world.functions.get("/cache/mine/alice").token(&token("alice", ""));
    let private = private.send().await.expect(200);
    assert!(private.header("cache-control").starts_with("private, max-age="), "{private:?}");
    assert_eq!(world.origin.count(), 2);
}

#[tokio::test]
async fn what_depends_on_the_token_says_so() {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    let own = token("alice", "cache:read");
    for (origins, varies) in
        [("", "Authorization"), ("https://app.example", "Authorization, Origin")]
    {
        let functions = setup(&redis, &origin).variable("cors_origins", origins).start().await;
        let read = async |path: &str, known: &str| {
            let call = functions.get(&format!("/cache/{path}")).header("if-none-match", known);
            call.token(&own).send().await
        };
        for path in ["mine/alice", "internal"] {
            let answer = read(path, "\"x\"").await.expect(200);
            assert_eq!(answer.header("vary"), varies, "{path}");
            let answer = read(path, answer.header("etag")).await.expect(304);
            assert_eq!(answer.header("vary"), varies, "{path}");
        }
        // Everybody gets the same of what is public.
        let public = read("fresh", "\"x\"").await.expect(200);
        assert_eq!(public.header_opt("vary"), varies.strip_prefix("Authorization, "));
    }
}

#[tokio::test]
async fn a_known_entity_tag_is_answered_with_304() {
    let world = World::start().await;
    let first = world.get("fresh").await.expect(200);
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.len() > 10, "{etag}");
    for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let call = world.functions.get("/cache/fresh").header("if-none-match", &known);
        let answer = call.send().await.expect(304);
        assert_eq!(answer.header("etag"), etag);
        assert!(answer.header("cache-control").starts_with("public"), "{answer:?}");
        assert!(answer.header("cache-status").starts_with("bellwire; hit"));
    }
    let other = world.functions.get("/cache/fresh").header("if-none-match", "\"x\"").send().await;
    assert_eq!(other.expect(200).text(), nth(1));
    // Another service's write has another tag, also one that keeps the expiry.
    let _: String = world.redis.run(r#"SET fresh {"n":9} KEEPTTL"#).await;
    let call = world.functions.get("/cache/fresh").header("if-none-match", &etag);
    assert_eq!(call.send().await.expect(200).text(), r#"{"n":9}"#);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::start().await;
    let get = world.get("fresh").await.expect(200);
    let head = world.functions.call("HEAD", "/cache/fresh").send().await.expect(200);
    for name in ["content-length", "etag", "cache-control", "content-type"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert!(head.header("cache-status").starts_with("bellwire; hit"));
}

#[tokio::test]
async fn stale_and_expired_values_say_so() {
    let world = World::start().await;
    world.get("stale").await.expect(200);
    let stale = world.get("stale").await.expect(200);
    let status = stale.header("cache-status");
    assert!(status.starts_with("bellwire; hit; ttl=-"), "{status}");
    world.refreshed("stale", 2).await;
    world.get("expired").await.expect(200);
    let expired = world.get("expired").await.expect(200);
    assert_eq!(expired.text(), nth(4));
    let status = expired.header("cache-status");
    assert!(status.starts_with("bellwire; fwd=stale; stored; ttl="), "{status}");
    world.origin.plan(Plan::after(Duration::from_millis(600)));
    let slow = world.get("expired").await.expect(200).within(Duration::from_millis(590));
    assert_eq!(slow.text(), nth(4));
    world.refreshed("expired", 5).await;
    assert_eq!(world.redis.run::<String>("GET expired").await, nth(5));
}
