//! Redis as components see it through the host.

use crate::support::{App, Host, Redis};

async fn host_with(redis: &Redis) -> Host {
    Host::start(&["--variable", &redis.variable()]).await
}

#[tokio::test]
async fn every_typed_call_works() {
    let redis = Redis::start().await;
    let host = host_with(&redis).await;
    assert_eq!(host.ok("/typed", "").await, "Ok((42, 2, 2, 1, 2))");
    assert_eq!(host.ok("/redis-get", "").await, "nil");
    host.ok("/execute", "SET\nbench\nvalue").await;
    assert_eq!(host.ok("/redis-get", "").await, "value");
}

#[tokio::test]
async fn nested_replies_are_flattened() {
    let redis = Redis::start().await;
    let host = host_with(&redis).await;
    let nested = host.ok("/execute", "EVAL\nreturn {1,{'a',{}},{{ok='OK'}},false}\n0").await;
    let binary = "RedisResult::Binary([97])";
    let flat = format!(
        "Ok([RedisResult::Int64(1), {binary}, RedisResult::Status(\"OK\"), RedisResult::Nil])"
    );
    assert_eq!(nested, flat);
}

#[tokio::test]
async fn server_errors_arrive_in_the_words_of_spins_client() {
    let redis = Redis::start().await;
    let host = host_with(&redis).await;
    host.ok("/execute", "SET\nk\nv").await;
    let cases = [
        ("LPUSH\nk\nv", "WRONGTYPE: Operation against a key holding the wrong kind of value"),
        (
            "EVALSHA\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\n0",
            "An error was signalled by the server - NoScriptError: No matching script. \
             Please use EVAL.",
        ),
        ("EVAL\nreturn redis.error_reply('MINE my words')\n0", "MINE: my words"),
        (
            "NOSUCH",
            "An error was signalled by the server - ResponseError: unknown command 'NOSUCH'",
        ),
    ];
    for (command, text) in cases {
        let error = host.ok("/execute", command).await;
        assert!(error.starts_with("Err(") && error.contains(text), "{command}: {error}");
    }
}

#[tokio::test]
async fn maps_are_rejected() {
    let redis = Redis::start().await;
    let variable = format!("redis_url={}/?protocol=resp3", redis.url);
    // The address rule uses the same variable and must not have a path.
    let app = App::with(&[("\"{{ redis_url }}\",", "\"redis://127.0.0.1:*\",")]);
    let host = Host::start_app(app, &["--variable", &variable]).await;
    host.ok("/execute", "HSET\nh\nf\nv").await;
    let refused = host.ok("/execute", "HGETALL\nh").await;
    assert!(refused.contains("Redis Map type is not supported"), "{refused}");
}

#[tokio::test]
async fn a_broken_connection_stays_broken_and_a_new_one_works() {
    let redis = Redis::start().await;
    let host = host_with(&redis).await;
    host.ok("/execute", "PING").await;
    redis.restart().await;
    for _ in 0..3 {
        let broken = host.ok("/execute", "PING").await;
        assert!(broken.starts_with("Err("), "{broken}");
    }
    assert_eq!(host.ok("/open", &redis.url).await, r#"Ok("opened")"#);
}

#[tokio::test]
async fn only_allowed_addresses_can_be_opened() {
    let redis = Redis::start().await;
    let host = host_with(&redis).await;
    assert_eq!(host.ok("/open", &redis.url).await, r#"Ok("opened")"#);
    for address in ["redis://127.0.0.1:1", "redis://localhost:6379", "nonsense"] {
        let denied = host.ok("/open", address).await;
        assert!(denied.contains("InvalidAddress"), "{address}: {denied}");
    }
    let denied = host.ok("/denied/open", &redis.url).await;
    assert!(denied.contains("InvalidAddress"), "{denied}");
}

#[tokio::test]
async fn an_allowed_address_without_a_listener_is_an_error_with_a_reason() {
    let redis = Redis::start().await;
    let host = host_with(&redis).await;
    redis.stop();
    let refused = host.ok("/open", &redis.url).await;
    assert!(refused.contains("Other(\"") && refused.contains("refused"), "{refused}");
}
