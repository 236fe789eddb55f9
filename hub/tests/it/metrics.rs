//! `/metrics`: where it is, and for whom.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use hub::admission::Admission;
use hub::config::service::MetricsAccess;
use hub::config::{Config, RedisTarget};
use hub::health::Health;
use hub::metrics::Metrics;
use hub::metrics::endpoint::Endpoint;
use shared::Code;
use shared::auth::{KeyConfig, KeySet};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::support::{SOON, request};

fn endpoint(access: MetricsAccess) -> Arc<Endpoint> {
    let redis = RedisTarget::parse("redis://127.0.0.1:1").unwrap();
    let config = Config::defaults(redis, KeySet::new(&KeyConfig::default()).unwrap()).unwrap();
    let metrics = Arc::new(Metrics::default());
    metrics.refused(Code::Forbidden);
    let admission = Admission::new(config.admission);
    Arc::new(Endpoint { access, metrics, health: Arc::new(Health::default()), admission })
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
async fn beside_clients_it_is_for_its_token_only() {
    let router = endpoint(with_token("secret")).router();
    assert_eq!(status(&router, Some("secret")).await, 200);
    for wrong in [None, Some(""), Some("secre"), Some("secret2"), Some("sEcret")] {
        assert_eq!(status(&router, wrong).await, 401, "{wrong:?}");
    }
    // Nowhere by default, and not here when it has an address of its own.
    assert_eq!(status(&endpoint(MetricsAccess::default()).router(), None).await, 404);
    let listen = Some(([127, 0, 0, 1], 1).into());
    let elsewhere = MetricsAccess { listen, ..with_token("secret") };
    assert_eq!(status(&endpoint(elsewhere).router(), Some("secret")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_its_own_address_it_answers_scrapes_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let access = MetricsAccess { listen: Some(address), token: None };
    let serving = tokio::spawn(endpoint(access).serve(listener));
    let answer = request(address, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let refused = "bellwire_hub_refused_total{code=\"forbidden\"} 1\n";
    assert!(answer.body.contains(refused), "{}", answer.body);
    let answer = request(address, "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    let answer =
        request(address, "POST /metrics HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    // It ends with its task: an open connection does not outlive it.
    let mut idle = TcpStream::connect(address).await.unwrap();
    let _ = request(address, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    serving.abort();
    let end = timeout(SOON, idle.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}
