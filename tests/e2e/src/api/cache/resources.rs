//! The declarations: the examples work, and a mistake is named.

use support::{Functions, Origin, Plan, RedisServer, token};

#[tokio::test]
async fn the_examples_work() {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    origin.plan(Plan::json(r#"{"theme":"dark"}"#).with("Cache-Control", "max-age=30"));
    let setup = Functions::with(&redis).variable("settings_host", origin.address());
    let functions = setup.start().await;
    let demo =
        std::fs::read_to_string(support::paths::workspace().join("functions/cache/demo.sql"));
    functions.record.open().execute_batch(&demo.unwrap()).unwrap();
    let service = token("svc", "cache:read");
    let blogs = functions.get("/cache/all_blogs").token(&service).send().await.expect(200);
    assert!(blogs.json().as_array().is_some_and(|blogs| blogs.len() >= 2), "{}", blogs.text());
    let profile = functions.get("/cache/profile/alice").token(&token("alice", "")).send().await;
    assert_eq!(profile.expect(200).json()["userId"], "alice");
    let other = functions.get("/cache/profile/alice").token(&token("bob", "")).send().await;
    other.expect_problem(403, "forbidden");
    let settings = functions.get("/cache/settings").send().await.expect(200);
    assert_eq!(settings.text(), r#"{"theme":"dark"}"#);
    for key in ["all_blogs", "profile:alice", "settings"] {
        assert_eq!(redis.run::<i64>(&format!("EXISTS {key}")).await, 1, "{key}");
    }
}

#[tokio::test]
async fn a_mistake_is_logged_with_its_line_and_nothing_is_served() {
    let redis = RedisServer::start().await;
    let wrong = "[[resource]]\npath = \"a\"\nfresh = \"soon\"\nhttp = { url = \"http://x/\" }\n";
    let functions = Functions::with(&redis).resources(wrong).start().await;
    functions.get("/cache/a").send().await.expect_problem(500, "internal");
    support::logged(|| functions.output(), &["line 3", "`fresh`"]).await;
    // The rest of the application is not concerned.
    functions.get("/healthz").send().await.expect(200);
}
