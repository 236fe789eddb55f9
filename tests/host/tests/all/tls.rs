//! TLS to Redis and Postgres: certificates of an authority that the host's system trusts, and no
//! others.

use std::sync::Arc;

use support::postgres::Postgres;
use support::redis_server::Options;
use support::{Authority, RedisServer};

use crate::support::{App, Host};

/// A host for these servers, which trusts an authority.
async fn host(redis: &RedisServer, postgres: &Postgres, trusted: &Authority) -> Host {
    // The fixture's own rule allows exactly `redis_url`.
    let app = App::with(&[
        ("{{ postgres_host }}", &postgres.address()),
        ("\"{{ redis_url }}\",", "\"rediss://127.0.0.1:*\","),
    ]);
    let variable = format!("redis_url={}", redis.url());
    Host::start_with(app, &["--variable", &variable], &trusted.environment()).await
}

const QUERY: &str = "SELECT ssl AS a FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

#[tokio::test]
async fn only_certificates_of_a_trusted_authority_are_accepted() {
    let (ours, other) = (Authority::new("ours"), Authority::new("another"));
    let files = Arc::new(ours.files());
    let (tls, may_leave_keys) = (Some(files.clone()), true);
    let redis =
        RedisServer::start_with(Options { tls, may_leave_keys, ..Options::default() }).await;
    let postgres = Postgres::start_with_tls(&files).await;
    let encrypted = "[\"a\"] [DbValue::Boolean(true)] Ok(())\n";
    let by_default = postgres.url().replace("?sslmode=disable", "");

    let trusting = host(&redis, &postgres, &ours).await;
    assert_eq!(trusting.ok("/open", &redis.url()).await, r#"Ok("opened")"#);
    // TLS is another scheme, which has to be allowed as such.
    let plain = redis.url().replace("rediss:", "redis:");
    let refused = trusting.ok("/open", &plain).await;
    assert!(refused.contains("InvalidAddress"), "{refused}");
    for url in [&postgres.tls_url(), &by_default] {
        assert_eq!(trusting.ok("/postgres", &format!("{url}\n{QUERY}")).await, encrypted);
    }
    let plain = encrypted.replace("true", "false");
    let asked = format!("{}\n{QUERY}", postgres.url());
    assert_eq!(trusting.ok("/postgres", &asked).await, plain, "sslmode=disable");

    let distrusting = host(&redis, &postgres, &other).await;
    let refused = distrusting.ok("/open", &redis.url()).await;
    assert!(refused.contains("certificate"), "{refused}");
    // `prefer`, the default, is no way around a certificate that is not accepted.
    for url in [&postgres.tls_url(), &by_default] {
        let refused = distrusting.ok("/postgres", &format!("{url}\n{QUERY}")).await;
        assert!(
            refused.contains("ConnectionFailed") && refused.contains("certificate"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_used_unless_tls_is_required() {
    let postgres = Postgres::start().await;
    let host = crate::postgres::host_with(&postgres).await;
    let url = postgres.url().replace("?sslmode=disable", "");
    let preferred = host.ok("/postgres", &format!("{url}\nSELECT 1 AS a")).await;
    assert_eq!(preferred, "[\"a\"] [DbValue::Int32(1)] Ok(())\n");
    let required = host.ok("/postgres", &format!("{url}?sslmode=require")).await;
    assert!(required.contains("server does not support TLS"), "{required}");
}
