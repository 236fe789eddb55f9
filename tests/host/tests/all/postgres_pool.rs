//! Postgres as components see it through the host: connections, addresses, a crashing server.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use support::eventually;
use support::postgres::Postgres;

use crate::postgres::{ask, host_with};
use crate::support::Host;

const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity \
                      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

#[tokio::test]
async fn concurrent_statements_need_a_connection_each_and_later_ones_reuse_them() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let answer = ask(&host, "/postgres-concurrent", &postgres, &["10"]).await;
    assert!(answer.starts_with("10 Ok("), "{answer}");
    for _ in 0..20 {
        ask(&host, "/postgres", &postgres, &["SELECT 1"]).await;
    }
    assert_eq!(postgres.run(OTHERS), "10");
}

#[tokio::test]
async fn a_hundred_calls_share_sixty_four_connections() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let begun = Instant::now();
    let calls = (0..100).map(|_| ask(&host, "/postgres", &postgres, &["SELECT pg_sleep(1)::text"]));
    for answer in join_all(calls).await {
        assert!(answer.ends_with("Ok(())\n"), "{answer}");
    }
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(postgres.run(OTHERS), "64");
}

#[tokio::test]
async fn a_used_connection_has_a_clean_session_but_keeps_its_transaction() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let lines = ["SET work_mem = '1MB'", "BEGIN", "CREATE TABLE t ()"];
    ask(&host, "/postgres", &postgres, &lines).await;
    let lines = ["SELECT (current_setting('work_mem') = '1MB') AS a", "SELECT count(*) FROM t"];
    let answer = ask(&host, "/postgres", &postgres, &lines).await;
    let expected = "[\"a\"] [DbValue::Boolean(false)] Ok(())\n\
                    [\"count\"] [DbValue::Int64(0)] Ok(())\n";
    assert_eq!(answer, expected);
    assert_eq!(postgres.run("SELECT to_regclass('t') IS NULL"), "t");

    // After a failed statement it cannot be cleaned: the connection and its transaction are closed.
    ask(&host, "/postgres", &postgres, &["SELECT nonsense"]).await;
    let answer = ask(&host, "/postgres", &postgres, &["SELECT to_regclass('t')::text AS a"]).await;
    assert_eq!(answer, "[\"a\"] [DbValue::DbNull] Ok(())\n");
}

#[tokio::test]
async fn a_dropped_statement_keeps_running_and_its_connection_busy() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let begun = Instant::now();
    let lines = ["50", "SELECT pg_sleep(3)::text"];
    assert_eq!(ask(&host, "/postgres-abandon", &postgres, &lines).await, "abandoned");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // The pool's only connection is busy: the pool waits for it instead of opening another one.
    ask(&host, "/postgres", &postgres, &["SELECT 1"]).await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(postgres.run(OTHERS), "1");
}

#[tokio::test]
async fn a_time_limit_in_the_address_applies_to_every_statement() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let url = format!("{}&options=-c%20statement_timeout%3D100", postgres.url());
    for _ in 0..2 {
        let body = format!("{url}\nSELECT pg_sleep(30)::text");
        let answer = host.ok("/postgres", &body).await;
        assert!(answer.contains("code: \"57014\""), "{answer}");
    }
}

#[tokio::test]
async fn the_pool_recovers_when_the_server_comes_back() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    postgres.run("CREATE TABLE t ()");
    ask(&host, "/postgres-concurrent", &postgres, &["5"]).await;
    let running = ask(&host, "/postgres", &postgres, &["SELECT pg_sleep(60)::text"]);
    let killed = async {
        let active = format!("{OTHERS} AND query LIKE '%pg_sleep(60)%'");
        eventually("the statement runs", async || (postgres.run(&active) == "1").then_some(()))
            .await;
        postgres.kill();
    };
    let (running, ()) = tokio::join!(running, killed);
    assert!(running.contains("Error::QueryFailed(QueryError::Text("), "{running}");
    let refused = ask(&host, "/postgres", &postgres, &["SELECT 1"]).await;
    assert!(refused.starts_with("open: PgError(Error::ConnectionFailed("), "{refused}");
    assert!(refused.contains("Connection refused"), "{refused}");
    postgres.restart().await;
    let answer = ask(&host, "/postgres", &postgres, &["SELECT count(*) FROM t"]).await;
    assert_eq!(answer, "[\"count\"] [DbValue::Int64(0)] Ok(())\n");
}

#[tokio::test]
async fn a_connection_that_a_component_keeps_stays_broken() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let lines = ["SELECT 1 AS a"];
    let kept = ask(&host, "/postgres-kept", &postgres, &lines).await;
    assert_eq!(kept, "[\"a\"] [DbValue::Int32(1)] Ok(())\n");
    postgres.kill();
    postgres.restart().await;
    for _ in 0..2 {
        let kept = ask(&host, "/postgres-kept", &postgres, &lines).await;
        assert!(kept.starts_with("at once: ") && kept.contains("kind: Closed"), "{kept}");
    }
    assert_eq!(
        ask(&host, "/postgres", &postgres, &lines).await,
        "[\"a\"] [DbValue::Int32(1)] Ok(())\n"
    );
}

#[tokio::test]
async fn only_allowed_addresses_can_be_opened() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let own = postgres.address();
    let (_, port) = own.split_once(':').unwrap();
    let addresses = [
        ("postgres://postgres@127.0.0.1:1/postgres".to_owned(), "postgres://127.0.0.1:1 is not"),
        (format!("postgres://postgres@localhost:{port}/postgres"), "is not permitted"),
        (format!("host=127.0.0.1 port={port} hostaddr=127.0.0.2"), "is not permitted"),
        ("host=127.0.0.1 user=postgres".to_owned(), "postgres://127.0.0.1 is not permitted"),
        ("host=/var/run/postgresql".to_owned(), "Unix sockets are not supported"),
        ("nonsense".to_owned(), "invalid connection string"),
    ];
    for (address, text) in addresses {
        for denied in host.ok("/postgres-builders", &address).await.lines().take(2) {
            let start = "Err(PgError(Error::ConnectionFailed(";
            let start_sync = "Err(Error::ConnectionFailed(";
            let is_denied = denied.starts_with(start) || denied.starts_with(start_sync);
            assert!(is_denied && denied.contains(text), "{address}: {denied}");
        }
        let denied = host.ok("/postgres", &address).await;
        assert!(denied.starts_with("open: ") && denied.contains(text), "{address}: {denied}");
        let denied = host.ok("/postgres-sync", &address).await;
        assert!(denied.starts_with("open: ") && denied.contains(text), "{address}: {denied}");
    }
    let denied = ask(&host, "/denied/postgres", &postgres, &["SELECT 1"]).await;
    assert!(denied.contains(&format!("address postgres://{own} is not permitted")), "{denied}");
    let words = format!("host=127.0.0.1 port={port} user=postgres\nSELECT 1 AS a");
    assert_eq!(host.ok("/postgres", &words).await, "[\"a\"] [DbValue::Int32(1)] Ok(())\n");
}

#[tokio::test]
async fn several_hosts_lead_to_the_one_that_takes_writes() {
    let primary = Postgres::start().await;
    let standby = primary.replica().await;
    let host = Host::start(&["--variable", "postgres_host=127.0.0.1:*"]).await;
    let hosts = format!("{},{}", standby.address(), primary.address());
    let body = |more: &str| {
        let url = format!("postgres://postgres@{hosts}/postgres?sslmode=disable{more}");
        format!("{url}\nSELECT pg_is_in_recovery() AS a")
    };
    let answer = |is_standby: bool| format!("[\"a\"] [DbValue::Boolean({is_standby})] Ok(())\n");
    assert_eq!(host.ok("/postgres", &body("")).await, answer(true), "the first one that answers");
    let writes = body("&target_session_attrs=read-write");
    assert_eq!(host.ok("/postgres", &writes).await, answer(false));

    let one_allowed = host_with(&standby).await;
    let denied = one_allowed.ok("/postgres", &writes).await;
    let text = format!("address postgres://{} is not permitted", primary.address());
    assert!(denied.contains(&text), "{denied}");
    let only = format!("{}&target_session_attrs=read-write\nSELECT 1", standby.url());
    let refused = one_allowed.ok("/postgres", &only).await;
    assert!(refused.contains("database does not allow writes"), "{refused}");

    primary.kill();
    let refused = host.ok("/postgres", &writes).await;
    assert!(refused.starts_with("open: "), "{refused}");
    standby.promote();
    assert_eq!(host.ok("/postgres", &writes).await, answer(false));
}

#[tokio::test]
async fn a_builder_opens_connections_and_rejects_certificates() {
    let postgres = Postgres::start().await;
    let host = host_with(&postgres).await;
    let answer = host.ok("/postgres-builders", &postgres.url()).await;
    let lines: Vec<_> = answer.lines().collect();
    assert_eq!(lines[..2], [r#"Ok("opened")"#; 2]);
    assert!(lines[2].contains("from SSL_CERT_FILE only"), "{answer}");
}
