//! The secrets that `deploy/compose/make-secrets` writes.

use std::process::Command;
use std::time::Duration;

use support::paths::workspace;
use support::process::run;
use support::{Functions, Hub, RedisServer};

const LIMIT: Duration = Duration::from_secs(30);

async fn make(dir: &std::path::Path) {
    let mut command = Command::new(workspace().join("deploy/compose/make-secrets"));
    command.arg(dir);
    let done = run(command, LIMIT).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn the_tokens_permit_what_their_programs_call_and_a_second_run_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).await;
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let (key, relay, push) = (read("auth.key"), read("relay.token"), read("push.token"));
    make(dir.path()).await;
    assert_eq!([read("auth.key"), read("relay.token")], [key.clone(), relay.clone()]);

    let redis = RedisServer::start().await;
    let functions = Functions::with(&redis).variable("auth_hs256_key", key.clone()).start().await;
    functions.post("/admin/relay", "").token(&relay).send().await.expect(200);
    let claim = functions.post("/push/claim", r#"{"max":1,"leaseMs":60000}"#);
    claim.token(&push).send().await.expect(200);
    let other = functions.post("/admin/relay", "").token(&push);
    other.send().await.expect_problem(403, "forbidden");

    // The hub reads the key from the same file, and tickets need Redis.
    let hub = Hub::with(&redis.url()).key(&key).start().await;
    hub.ready().await;
    hub.http.post("/ws/ticket", "").token(&relay).send().await.expect(201);
}
