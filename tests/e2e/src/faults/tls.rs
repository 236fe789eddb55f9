//! TLS on every connection, with certificates of a private authority: hub and functions to Redis,
//! functions to Postgres, hub to functions, clients to the hub.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use support::certificate::{TlsFiles, trusting};
use support::functions::Setup;
use support::redis_server::{Options, Persistence};
use support::{Authority, Functions, Hub, Postgres, RedisCluster, RedisServer, Socket, TlsProxy};
use support::{eventually, eventually_within, logged, token};
use tokio::io::{AsyncRead, AsyncWrite};

/// Generous: every call to Redis has a deadline of about a second.
const BOUND: Duration = Duration::from_secs(5);
const PASSWORD: &str = "a-password-that-no-log-may-hold";

/// A Redis with TLS and a password.
async fn redis(files: &Arc<TlsFiles>) -> RedisServer {
    let options = Options {
        persistence: Persistence::EveryCommand,
        tls: Some(files.clone()),
        password: Some(PASSWORD),
        ..Options::default()
    };
    RedisServer::start_with(options).await
}

fn on(postgres: &Postgres, redis: &RedisServer) -> Setup {
    Functions::with(redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.tls_url())
        .variable("postgres_host", postgres.address())
}

/// A socket of a client that trusts only the authority.
async fn connect(
    hub: &Hub,
    front: &TlsProxy,
    authority: &Authority,
) -> Socket<impl AsyncRead + AsyncWrite + Unpin> {
    let connection = front.connect(&authority.path()).await.unwrap();
    let mut request = hub.request("");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {}", token("alice", "")).parse().unwrap());
    headers.insert("sec-websocket-protocol", "bellwire.v1".parse().unwrap());
    let mut socket = Socket::open(connection, request).await.unwrap();
    assert_eq!(socket.json().await["type"], "welcome");
    socket
}

async fn create(functions: &Functions, title: &str) -> String {
    let body = json!({"userId": "alice", "title": title});
    let answer = functions.create(&body).await.expect(201).within(BOUND);
    answer.json()["delivery"].as_str().unwrap().to_owned()
}

/// The reason why a program is not ready.
async fn detail(http: &support::Http) -> Option<String> {
    let answer = http.get("/readyz").send().await;
    (answer.status == 503).then(|| answer.json()["detail"].as_str().unwrap().to_owned())
}

/// Waits until the hub says this reason; returns all of it.
async fn unready(hub: &Hub, expected: &str) -> String {
    eventually(&format!("the hub says: {expected}"), async || {
        detail(&hub.http).await.filter(|reason| reason.contains(expected))
    })
    .await
}

/// Loads the certificate in the files for new connections, and closes the others.
async fn reload(operator: &mut redis::aio::MultiplexedConnection, files: &TlsFiles) {
    let (certificate, key) = (files.certificate(), files.key());
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("tls-cert-file").arg(certificate.to_str());
    set.arg("tls-key-file").arg(key.to_str());
    set.query_async::<()>(operator).await.unwrap();
    for kind in ["pubsub", "normal"] {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
        kill.query_async::<i64>(operator).await.unwrap();
    }
}

const UNENCRYPTED: &str = "SELECT count(*) FILTER (WHERE ssl) > 0, count(*) FILTER (WHERE NOT ssl)
    FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

#[tokio::test]
async fn a_redis_that_dies_and_one_whose_certificate_expires_lose_and_double_nothing() {
    let authority = Authority::new("a private authority");
    let files = Arc::new(authority.files());
    let (redis, postgres) = (redis(&files).await, Postgres::start_with_tls(&files).await);
    let functions = on(&postgres, &redis).env(authority.environment()).start().await;
    let api = TlsProxy::to(&functions.address(), &authority.issue()).await;
    let hub = Hub::with(&redis.url()).relay(&api.url()).env(authority.environment()).start().await;
    hub.ready().await;
    let front = TlsProxy::to(&hub.address.to_string(), &authority.issue()).await;
    let mut socket = connect(&hub, &front, &authority).await;
    assert_eq!(create(&functions, "one").await, "sent");
    assert_eq!(socket.titles(1).await, ["one"]);
    assert_eq!(postgres.run(UNENCRYPTED), "t|0");

    redis.kill();
    assert_eq!(create(&functions, "two").await, "pending");
    assert_eq!(create(&functions, "three").await, "pending");
    redis.restart().await;
    // The hub sees that Redis is back, and calls the relay through TLS.
    assert_eq!(socket.titles(2).await, ["two", "three"]);

    // A renewal that went wrong: from now on nobody can connect anew.
    let mut operator = redis.connection().await;
    files.replace(&authority.issue_expired());
    reload(&mut operator, &files).await;
    assert_eq!(create(&functions, "four").await, "pending");
    let reason = unready(&hub, "certificate expired").await;
    assert!(reason.contains("not subscribed"), "{reason}");
    let reason = detail(&functions.plain()).await.expect("the functions are not ready");
    assert!(reason.contains("does not accept its TLS certificate"), "{reason}");
    let warnings = || hub.output().matches("cannot subscribe").count();
    eventually("the hub has said why", async || (warnings() > 0).then_some(())).await;
    logged(|| hub.output(), &["certificate expired"]).await;
    let said = warnings();
    assert_eq!(create(&functions, "five").await, "pending");

    files.replace(&authority.issue());
    reload(&mut operator, &files).await;
    assert_eq!(socket.titles(2).await, ["four", "five"]);
    assert!(warnings() <= said + 1, "a warning at each try: {}", hub.output());
    hub.ready().await;
    assert_eq!(create(&functions, "six").await, "sent");
    assert_eq!(socket.titles(1).await, ["six"]);
    assert_eq!(functions.titles("alice").await, ["six", "five", "four", "three", "two", "one"]);
    assert_eq!(redis.list("notifications:alice").await.len(), 6);
    let presence = async || {
        let call = functions.get("/presence/alice").token(&token("a service", "presence:read"));
        (call.send().await.expect(200).json()["online"] == true).then_some(())
    };
    eventually_within(Duration::from_secs(20), "alice is online", presence).await;
    for output in [hub.output(), functions.output()] {
        assert!(!output.contains(PASSWORD), "{output}");
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_named_as_the_reason() {
    let (ours, other) = (Authority::new("ours"), Authority::new("another"));
    let files = Arc::new(ours.files());
    let (redis, postgres) = (redis(&files).await, Postgres::start_with_tls(&files).await);
    let hub = Hub::with(&redis.url()).env(other.environment()).start().await;
    unready(&hub, "invalid peer certificate: UnknownIssuer").await;
    // Without any authority there is a reason, too.
    let nowhere = trusting(Path::new("/nowhere/ca.pem"));
    let lost = Hub::with(&redis.url()).env(nowhere).start().await;
    let reason = unready(&lost, "no certificates").await;
    assert!(reason.contains("/nowhere/ca.pem"), "{reason}");

    // The record in a file: a create is taken, and delivered when Redis is trusted.
    let functions = Functions::with(&redis).env(other.environment()).start().await;
    assert_eq!(create(&functions, "one").await, "pending");
    let reason = detail(&functions.plain()).await.expect("the functions are not ready");
    assert!(reason.contains("does not accept its TLS certificate"), "{reason}");
    // The record in Postgres: nothing is promised.
    let without = on(&postgres, &redis).env(other.environment()).start().await;
    let body = json!({"userId": "alice", "title": "two"});
    let refused = without.create(&body).await.within(BOUND);
    refused.expect_problem(503, "record_unavailable");
    logged(|| without.output(), &["does not accept the server's TLS certificate"]).await;
    for output in [hub.output(), lost.output(), functions.output(), without.output()] {
        assert!(!output.contains(PASSWORD), "{output}");
    }
}

/// Clients, nodes among themselves, and replicas: everything is encrypted, with one password.
#[tokio::test]
async fn a_cluster_with_tls_and_a_password_fails_over_and_loses_nothing() {
    let authority = Authority::new("a private authority");
    let tls = Some(Arc::new(authority.files()));
    let options = Options { tls, password: Some(PASSWORD), ..Options::default() };
    let cluster = RedisCluster::start_with(3, &options).await;
    assert!(cluster.url().starts_with("rediss+cluster://:"));
    let setup = Functions::on(&cluster).variable("live", "own").env(authority.environment());
    let functions = setup.start().await;
    functions.get("/readyz").send().await.expect(200);
    let setup = Hub::with(&cluster.url()).relay(&functions.url()).arguments(&["--live=own"]);
    let hub = setup.env(authority.environment()).start().await;
    hub.ready().await;
    let mut socket = hub.connect("alice").await;
    assert_eq!(create(&functions, "one").await, "sent");
    assert_eq!(socket.titles(1).await, ["one"]);

    let master = cluster.owner_of("notifications:alice").await;
    master.kill();
    assert_eq!(create(&functions, "two").await, "pending");
    // The replica takes over, the hub subscribes there and calls the relay.
    assert_eq!(socket.titles(1).await, ["two"]);
    hub.ready().await;
    assert_eq!(create(&functions, "three").await, "sent");
    assert_eq!(socket.titles(1).await, ["three"]);

    let other = Authority::new("another");
    let untrusting = Functions::on(&cluster).env(other.environment()).start().await;
    let reason = detail(&untrusting.plain()).await.expect("they are not ready");
    assert!(reason.contains("does not accept its TLS certificate"), "{reason}");
    for output in [hub.output(), functions.output(), untrusting.output()] {
        assert!(!output.contains(PASSWORD), "{output}");
    }
}
