//! Limits, tickets and metrics, seen by the clients of a whole hub.

use shared::Code;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Response;

use hub::admission::Limits;
use hub::admission::client_address::{ForwardedHeader, TrustedProxies};

use crate::support::{Answer, Client, Hub, Options, request, token, until};

async fn hub(limit: fn(&mut Limits)) -> Hub {
    Hub::start_with(Options { limit: Some(limit), ..Options::default() }).await
}

/// A handshake as text, with any headers.
async fn handshake(
    hub: &Hub,
    path: &str,
    headers: &str,
) -> Result<Client, Response<Option<Vec<u8>>>> {
    let connection = TcpStream::connect(hub.address).await.unwrap();
    let mut request = format!("ws://hub{path}").into_client_request().unwrap();
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match Client::open(connection, request).await {
        Ok(client) => Ok(client),
        Err(Error::Http(response)) => Err(*response),
        Err(error) => panic!("{error}"),
    }
}

async fn with_token(
    hub: &Hub,
    user: &str,
    more: &str,
) -> Result<Client, Response<Option<Vec<u8>>>> {
    let headers = format!("authorization: Bearer {}\n{more}", token(user));
    handshake(hub, "/ws/notifications", &headers).await
}

fn code(outcome: Result<Client, Response<Option<Vec<u8>>>>) -> (u16, String, bool) {
    let Err(response) = outcome else { panic!("let in") };
    let has_retry = response.headers().contains_key("retry-after");
    let body: serde_json::Value =
        serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
    (response.status().as_u16(), body["code"].as_str().unwrap().to_owned(), has_retry)
}

fn refused(code: Code) -> (u16, String, bool) {
    (code.status(), code.as_str().to_owned(), true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_too_many_sockets_is_rejected_and_others_are_not_affected() {
    let hub = hub(|limits| limits.sockets_per_user_max = 2).await;
    let first = with_token(&hub, "alice", "").await.unwrap();
    let _second = with_token(&hub, "alice", "").await.unwrap();
    assert_eq!(code(with_token(&hub, "alice", "").await), refused(Code::TooManySockets));
    let _bob = with_token(&hub, "bob", "").await.unwrap();
    drop(first);
    until("a place is free", async || with_token(&hub, "alice", "").await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_hub_answers_503_and_still_answers_probes() {
    let hub = hub(|limits| limits.sockets_max = 1).await;
    let _only = with_token(&hub, "alice", "").await.unwrap();
    assert_eq!(code(with_token(&hub, "bob", "").await), refused(Code::NotReady));
    assert_eq!(hub.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_too_many_connections_is_rejected_before_its_request() {
    let hub = hub(|limits| limits.connections_per_address_max = 3).await;
    let mut kept = Vec::new();
    let problem = loop {
        let mut connection = TcpStream::connect(hub.address).await.unwrap();
        let mut text = String::new();
        // An admitted connection receives nothing before its request.
        let reading = connection.read_to_string(&mut text);
        match timeout(std::time::Duration::from_millis(300), reading).await {
            Ok(read) => break read.map(|_| text).unwrap(),
            Err(_) => kept.push(connection),
        }
        assert!(kept.len() <= 3);
    };
    assert!(problem.starts_with("HTTP/1.1 429 "), "{problem}");
    assert!(problem.contains("rate_limited") && problem.contains("retry-after"), "{problem}");
    drop(kept);
    until("a place is free", async || with_token(&hub, "alice", "").await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit() {
    let hub = hub(|limits| {
        limits.connections_per_address_max = 1;
        limits.trusted_proxies =
            TrustedProxies::parse(["127.0.0.0/8"], ForwardedHeader::default()).unwrap();
    })
    .await;
    let one = "x-forwarded-for: 203.0.113.1";
    let _one = with_token(&hub, "alice", one).await.unwrap();
    assert_eq!(code(with_token(&hub, "alice", one).await), refused(Code::RateLimited));
    let forged = "x-forwarded-for: 198.51.100.1, 203.0.113.1";
    assert_eq!(code(with_token(&hub, "alice", forged).await), refused(Code::RateLimited));
    let _two = with_token(&hub, "alice", "x-forwarded-for: 203.0.113.2").await.unwrap();
}

async fn ticket(hub: &Hub) -> String {
    let token = token("alice");
    let head = format!("POST /ws/ticket HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}");
    let answer: Answer = request(hub.address, &format!("{head}\r\n\r\n")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    body["ticket"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_exactly_one_socket() {
    let hub = Hub::start().await;
    let path = format!("/ws/notifications?ticket={}", ticket(&hub).await);
    let mut client = handshake(&hub, &path, "").await.unwrap();
    let published = hub.redis.publish_ours("alice", "e", 1).await;
    assert_eq!(client.text().await, published);
    let (status, code, _) = code(handshake(&hub, &path, "").await);
    assert_eq!((status, code.as_str()), (401, "unauthorized"));
}

/// A sample of `/metrics`.
async fn sample(hub: &Hub, series: &str) -> f64 {
    let head = "GET /metrics HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer secret\r\n\r\n";
    let page = request(hub.address, head).await;
    assert_eq!(page.status, 200);
    let line = page.body.lines().find_map(|line| {
        line.strip_prefix("bellwire_hub_")?.strip_prefix(series)?.strip_prefix(' ')
    });
    line.unwrap_or_else(|| panic!("{series}\n{}", page.body)).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_follow_connections_and_sockets() {
    let metrics_token = Some("secret".to_owned());
    let limit: fn(&mut Limits) = |limits| limits.sockets_per_user_max = 1;
    let options = Options { metrics_token, limit: Some(limit), ..Options::default() };
    let hub = Hub::start_with(options).await;
    assert_eq!(hub.get("/metrics").await.status, 401);
    assert_eq!(sample(&hub, "redis_subscribed").await, 1.0);
    assert_eq!(sample(&hub, "sockets{protocol=\"raw\"}").await, 0.0);
    let mut client = with_token(&hub, "alice", "").await.unwrap();
    assert_eq!(sample(&hub, "sockets{protocol=\"raw\"}").await, 1.0);
    assert_eq!(sample(&hub, "users").await, 1.0);
    assert!(sample(&hub, "connections").await >= 1.0);
    assert_eq!(code(with_token(&hub, "alice", "").await), refused(Code::TooManySockets));
    let refused = "refused_total{code=\"too_many_sockets\",reason=\"user_sockets\"}";
    assert_eq!(sample(&hub, refused).await, 1.0);
    hub.redis.publish("nonsense").await;
    hub.redis.publish(r#"{"notification":{"userId":"bob"}}"#).await;
    hub.redis.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
    assert_eq!(sample(&hub, "messages_total{channel=\"notifications\"}").await, 3.0);
    assert_eq!(sample(&hub, "undelivered_total{reason=\"unreadable\"}").await, 1.0);
    assert_eq!(sample(&hub, "undelivered_total{reason=\"not_here\"}").await, 1.0);
    client.stream.close(None).await.unwrap();
    until("the socket is counted as closed", async || {
        sample(&hub, "sockets{protocol=\"raw\"}").await == 0.0
    })
    .await;
    assert_eq!(sample(&hub, "users").await, 0.0);
    assert_eq!(sample(&hub, "closed_total{code=\"none\"}").await, 1.0);
}
