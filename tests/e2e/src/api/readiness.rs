//! What `/readyz` must notice: keys, variables, and a record that only reads.

mod manifest;

use std::os::unix::fs::chown;
use std::time::Duration;

use serde_json::json;
use support::jwt::{RsaKey, hs256_jwk};
use support::{Answer, Functions, Postgres, Published, Record, RedisServer, SmallDisk, eventually};
use support::{Jwt, logged, token};

async fn ready(functions: &Functions) -> Answer {
    functions.get("/readyz").send().await
}

fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_usable_key_it_is_not_ready_and_says_why() {
    let redis = RedisServer::start().await;
    let secret = "a secret of more than 32 bytes, by mistake";
    let mut encrypts = RsaKey::generate().jwk("r");
    encrypts["use"] = "enc".into();
    let twice = hs256_jwk("k", secret);
    let jwks = |keys: serde_json::Value| json!({ "keys": keys }).to_string();
    let cases = [
        (
            "",
            String::new(),
            "no key is configured: set auth_hs256_key, auth_jwks, auth_jwks_url or auth_issuer",
        ),
        ("too short", String::new(), "the HS256 key is shorter than 32 bytes"),
        ("", format!("\"{secret}\""), "the JWK set is not a JSON object"),
        ("", secret.to_owned(), "the JWK set is not JSON"),
        ("", jwks(json!([RsaKey::of_bits(1024).jwk("r")])), "key 0 of the JWK set has 1024 bits"),
        ("", jwks(json!([encrypts])), "key 0 of the JWK set is not for signatures"),
        ("", jwks(json!([twice, twice])), "key 1 of the JWK set has a `kid` that occurs twice"),
    ];
    for (key, jwks, problem) in cases {
        let setup = Functions::with(&redis).variable("auth_hs256_key", key);
        let functions = setup.variable("auth_jwks", jwks).start().await;
        let answer = ready(&functions).await.expect_problem(503, "auth_not_configured");
        assert!(detail(&answer).starts_with(&format!("auth: {problem}")), "{}", answer.text());
        assert!(!answer.text().contains(secret) && !functions.output().contains(secret));
        functions.get("/healthz").send().await.expect(200);
        let feed = functions.get("/users/alice/notifications").token(&Jwt::of("alice").sign("x"));
        feed.send().await.expect_problem(503, "auth_not_configured");
    }
}

#[tokio::test]
async fn a_variable_that_is_not_as_it_must_be_is_named_by_whoever_uses_it() {
    let redis = RedisServer::start().await;
    for (name, value, variable, problem) in [
        ("retention_days", "soon", "retention_days", "must be a whole number from 1 to 36500"),
        ("retention_days", "0", "retention_days", "must be a whole number from 1 to 36500"),
        ("live", "both", "live", "must be all, bridge or own"),
        ("record", "mysql", "record", "must be sqlite or postgres"),
        ("record", "postgres", "postgres_url", "is empty, and the record is in postgres"),
    ] {
        let functions = Functions::with(&redis).variable(name, value).start().await;
        let answer = ready(&functions).await.expect_problem(503, "not_ready");
        let expected = format!("config: the variable `{variable}` {problem}");
        assert_eq!(detail(&answer), expected);
        // A restart mends nothing.
        functions.get("/healthz").send().await.expect(200);
        // Whoever uses it refuses, and nobody else does.
        let prune = functions.post("/admin/prune", "").token(&token("ops", "ops:write"));
        assert_eq!(detail(&prune.send().await.expect_problem(500, "internal")), expected);
        let created = functions.create(&json!({"userId": "alice", "title": "one"})).await;
        match name {
            "record" | "live" => {
                assert_eq!(detail(&created.expect_problem(500, "internal")), expected)
            }
            _ => drop(created.expect(201)),
        }
        let presence = functions.get("/presence").token(&token("svc", "presence:read"));
        presence.send().await.expect(200);
        logged(|| functions.output(), &["variable_invalid", variable]).await;
    }
}

/// Forgets when the record was last written, so that the next probe tries.
fn age(record: &Record) {
    record.open().execute_batch("UPDATE write_check SET at_ms = 0").unwrap();
}

#[tokio::test]
async fn a_full_disk_is_noticed_and_leaves_nothing_half_done() {
    let Some(disk) = SmallDisk::mount(4096) else { return };
    let redis = RedisServer::start().await;
    let record = Record::lying_in(disk.path());
    let functions = Functions::with(&redis).record(&record).start().await;
    let published = Published::subscribe(&redis).await;
    functions.notify("alice", "one").await;
    ready(&functions).await.expect(200);
    age(&record);
    disk.fill();
    let answer = ready(&functions).await.within(Duration::from_secs(5));
    let answer = answer.expect_problem(503, "record_unavailable");
    assert_eq!(detail(&answer), "record: the disk is full");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);

    let body = json!({"userId": "alice", "title": "two"});
    for _ in 0..3 {
        functions.create(&body).await.expect_problem(503, "record_unavailable");
        let batch = json!({"notifications": [body, body]}).to_string();
        let call = functions.post("/notifications/batch", batch);
        let call = call.token(&token("svc", "notifications:write"));
        call.send().await.expect_problem(503, "record_unavailable");
    }
    let put = functions.call("PUT", "/users/alice/token").token(&token("alice", ""));
    let put = put.body(json!({"token": "t"}).to_string()).send().await;
    put.expect_problem(503, "record_unavailable");
    // What needs no room goes on.
    assert_eq!(functions.titles("alice").await, ["one"]);
    assert_eq!((record.seq("alice"), record.ids("alice").len()), (1, 1));

    disk.free();
    ready(&functions).await.expect(200);
    assert_eq!(functions.notify("alice", "two").await["seq"], 2);
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    published.exactly(2).await;
}

#[tokio::test]
async fn probes_write_once_in_a_while() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let written = || functions.record.value::<i64>("SELECT at_ms FROM write_check");
    ready(&functions).await.expect(200);
    let first = written();
    for _ in 0..20 {
        ready(&functions).await.expect(200);
        if written() != first {
            assert!(written() >= first + runtime::record::WRITE_CHECK_MS, "too soon");
        }
    }
    age(&functions.record);
    ready(&functions).await.expect(200);
    assert!(written() >= first);
    // A clock that was ahead does not keep the record from being looked at.
    let future = "UPDATE write_check SET at_ms = 9000000000000";
    functions.record.open().execute_batch(future).unwrap();
    ready(&functions).await.expect(200);
    assert!(written() < 9_000_000_000_000);
}

#[tokio::test]
async fn a_record_that_somebody_keeps_locked_is_not_ready_and_said_so_in_time() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    ready(&functions).await.expect(200);
    let holder = functions.record.open();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let answer = ready(&functions).await.within(Duration::from_secs(5));
    let answer = answer.expect_problem(503, "record_unavailable");
    assert_eq!(detail(&answer), "record: another program keeps it locked");
    holder.execute_batch("COMMIT").unwrap();
    eventually("it is ready again", async || (ready(&functions).await.status == 200).then_some(()))
        .await;
}

async fn on(postgres: &Postgres, redis: &RedisServer) -> Functions {
    let setup = Functions::with(redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.url())
        .variable("postgres_host", postgres.address());
    let functions = setup.start().await;
    functions.notify("alice", "one").await;
    ready(&functions).await.expect(200);
    functions
}

#[tokio::test]
async fn a_postgres_that_only_reads_is_not_ready() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).await;
    postgres.run("ALTER SYSTEM SET default_transaction_read_only = on");
    postgres.run("SELECT pg_reload_conf()");
    // At once, although the last write is recent.
    let answer = eventually("it is not ready", async || {
        Some(ready(&functions).await).filter(|answer| answer.status == 503)
    });
    let answer = answer.await.expect_problem(503, "record_unavailable");
    assert_eq!(detail(&answer), "record: it is read-only");
    let refused = functions.create(&json!({"userId": "alice", "title": "two"})).await;
    refused.expect_problem(503, "record_unavailable");
    assert_eq!(functions.titles("alice").await, ["one"]);

    postgres.run("ALTER SYSTEM RESET default_transaction_read_only");
    postgres.run("SELECT pg_reload_conf()");
    eventually("it is ready again", async || (ready(&functions).await.status == 200).then_some(()))
        .await;
    assert_eq!(functions.notify("alice", "two").await["seq"], 2);
}

#[tokio::test]
async fn a_postgres_without_room_for_its_tables_is_not_ready() {
    let Some(disk) = SmallDisk::mount(2048) else { return };
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).await;
    let owner = std::fs::metadata(format!("/proc/{}", postgres.pid())).unwrap();
    let (user, group) = (std::os::unix::fs::MetadataExt::uid(&owner), None);
    chown(disk.path(), Some(user), group).unwrap();
    // The server's user has to get there.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(disk.path(), open).unwrap();
    postgres.run(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display()));
    for table in ["write_check", "notifications"] {
        postgres.run(&format!("ALTER TABLE bellwire.{table} SET TABLESPACE small"));
    }
    postgres.run("UPDATE bellwire.write_check SET at_ms = 0");
    disk.fill();
    let answer = ready(&functions).await.expect_problem(503, "record_unavailable");
    assert_eq!(detail(&answer), "record: the disk is full");
    let body = "x".repeat(4000);
    let create = async || {
        let body = json!({"userId": "alice", "title": "two", "body": body});
        functions.create(&body).await
    };
    // The page that was begun may have room for one more.
    let full = eventually("a create is refused", async || {
        Some(create().await).filter(|answer| answer.status != 201)
    });
    full.await.expect_problem(503, "record_unavailable");
    let counted = "SELECT count(*) = max(seq), max(seq) = (SELECT seq FROM bellwire.feed)
        FROM bellwire.notifications";
    assert_eq!(postgres.run(counted), "t|t");
    disk.free();
    ready(&functions).await.expect(200);
    create().await.expect(201);
}
