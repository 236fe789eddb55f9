//! `/metrics`: its address and its access.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use hub::admission::Admission;
use hub::config::PresencePace;
use hub::config::{Config, RedisTarget};
use hub::http::refusal_reason::Reason;
use hub::metrics::Metrics;
use hub::ops::endpoint::Endpoint;
use hub::presence::Presence;
use hub::users::Registry;
use native::ops::Endpoint as _;
use native::ops::MetricsAccess;
use shared::auth::{KeyConfig, KeySet};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::support::{Hub, Options, SOON, request, until};

fn endpoint(access: MetricsAccess) -> Arc<Endpoint> {
    let redis = RedisTarget::parse("redis://127.0.0.1:1").unwrap();
    let config = Config::defaults(redis, KeySet::new(&KeyConfig::default()).unwrap()).unwrap();
    let metrics = Arc::new(Metrics::default());
    metrics.refused(Reason::Origin);
    let admission = Admission::new(config.admission);
    let presence = Arc::new(Presence::new(PresencePace::default(), metrics.clone()));
    let (registry, _) = Registry::new(presence, None, metrics.clone());
    Arc::new(Endpoint { access, metrics, health: Arc::default(), admission, registry })
}

fn with_token(token: &str) -> MetricsAccess {
    MetricsAccess { listen: None, token: Some(token.to_owned()) }
}

async fn status(router: &Router, token: Option<&str>) -> u16 {
    let mut request = Request::builder().uri("/metrics");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn on_the_clients_address_metrics_require_their_token() {
    let router = endpoint(with_token("secret")).router();
    assert_eq!(status(&router, Some("secret")).await, 200);
    for wrong in [None, Some(""), Some("secre"), Some("secret2"), Some("sEcret")] {
        assert_eq!(status(&router, wrong).await, 401, "{wrong:?}");
    }
    // Missing by default, and missing here if it has an address of its own.
    assert_eq!(status(&endpoint(MetricsAccess::default()).router(), None).await, 404);
    let listen = Some(([127, 0, 0, 1], 1).into());
    let elsewhere = MetricsAccess { listen, ..with_token("secret") };
    assert_eq!(status(&endpoint(elsewhere).router(), Some("secret")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_address_answers_scrapes_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let access = MetricsAccess { listen: Some(address), token: None };
    let serving = tokio::spawn(endpoint(access).serve(listener));
    let answer = request(address, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let refused = "bellwire_hub_refused_total{code=\"forbidden\",reason=\"origin\"} 1\n";
    assert!(answer.body.contains(refused), "{}", answer.body);
    let scrape = "GET /metrics HTTP/1.1\r\nHost: hub\r\n\
                  Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n";
    let answer = request(address, scrape).await;
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(open_metrics));
    assert!(answer.body.contains(refused) && answer.body.ends_with("# EOF\n"), "{}", answer.body);
    // Also while clients use every connection.
    let alive = request(address, "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    let ready = request(address, "GET /readyz HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert_eq!((alive.status, ready.status), (200, 503));
    let answer = request(address, "GET /ws HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    let answer =
        request(address, "POST /metrics HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    // Its connections end with its task.
    let mut idle = TcpStream::connect(address).await.unwrap();
    let _ = request(address, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    serving.abort();
    let end = timeout(SOON, idle.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_counts_its_work() {
    let options =
        Options { metrics_token: Some("secret-of-the-scraper".to_owned()), ..Options::default() };
    let hub = Hub::start_with(options).await;
    for seq in 1..=3 {
        hub.redis.push("alice", "e1", seq).await;
    }
    let (mut v1, _) = hub.connect_v1("alice").await;
    let _raw = hub.connect("bob").await;
    let mut events = hub.events("alice", "?since=seq:1&epoch=e1", "").await;
    events.next().await;
    let mut lost = hub.resume("alice", "?since=seq:1&epoch=e0", "bellwire.v1").await;
    assert!(lost.text().await.contains("welcome"));
    assert!(lost.text().await.contains("gap"));
    hub.redis.create("alice", "e1", 4).await;
    v1.notification().await;
    hub.redis.publish(r#"{"notification":{"userId":"nobody"}}"#).await;
    hub.redis.publish("{").await;
    let text = "GET /metrics HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer \
                secret-of-the-scraper\r\n\r\n";
    let wanted = [
        "sockets{protocol=\"raw\"} 1",
        "sockets{protocol=\"v1\"} 2",
        "sockets{protocol=\"sse\"} 1",
        "users 2",
        "messages_total{channel=\"notifications\"} 3",
        "undelivered_total{reason=\"unreadable\"} 1",
        "undelivered_total{reason=\"not_here\"} 1",
        // One message to three sockets.
        "delivery_seconds_count 3",
        "queued_frames 0",
        "resumes_total{outcome=\"replayed\"} 1",
        "resumes_total{outcome=\"gap\"} 1",
        "replay_entries_sum 2.0",
        "gaps_total 1",
        "redis_subscribed 1",
    ];
    let missing = async || {
        let page = request(hub.address, text).await.body;
        let has = |line: &str| page.lines().any(|shown| shown == format!("bellwire_hub_{line}"));
        wanted.into_iter().filter(|line| !has(line)).collect::<Vec<_>>()
    };
    until("everything is counted", async || missing().await.is_empty()).await;
    drop(v1);
    let closed = "bellwire_hub_closed_total{code=\"none\"} 1";
    until("the end is counted", async || {
        request(hub.address, text).await.body.lines().any(|line| line == closed)
    })
    .await;
}
