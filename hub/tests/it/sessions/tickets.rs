//! One-time tickets: shared by all hubs, used once, limited in time, for listed pages only.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{Request, StatusCode};
use hub::admission::refusal_log::RefusalLog;
use hub::config::{Config, RedisTarget};
use hub::limits::TICKETS_BURST;
use hub::metrics::Metrics;
use hub::redis::commands::commands;
use hub::session::ticket_route::TicketDesk;
use hub::session::tickets::Tickets;
use redis::AsyncCommands as _;
use shared::Code;
use shared::auth::{Claims, KeyConfig, KeySet};
use shared::limits::TICKET_TTL_MS;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::support::{KEY, ORIGIN, RedisServer, now_s, token, token_until};

fn tickets(redis: &RedisServer) -> Arc<Tickets> {
    let topology = RedisTarget::parse(&redis.url()).unwrap().topology();
    Arc::new(Tickets::new(commands(topology, Arc::default(), Arc::default())))
}

fn claims(user: &str, exp: f64) -> Claims {
    Claims { sub: user.to_owned(), exp, nbf: None, scope: "ops:write".to_owned() }
}

/// The ticket route of a hub.
fn desk(redis: &RedisServer) -> (Router, Arc<Tickets>) {
    let keys = KeySet::new(&KeyConfig { hs256_key: KEY.to_owned(), ..KeyConfig::default() });
    let target = RedisTarget::parse(&redis.url()).unwrap();
    let config = Config {
        allowed_origins: vec![ORIGIN.to_owned()],
        ..Config::defaults(target, keys.unwrap()).unwrap()
    };
    let tickets = tickets(redis);
    let metrics = Arc::new(Metrics::default());
    let refusals = Arc::new(RefusalLog::new(metrics.clone()));
    let desk = TicketDesk { config: Arc::new(config), tickets: tickets.clone(), metrics, refusals };
    (Arc::new(desk).router(), tickets)
}

async fn ask(router: &Router, method: &str, headers: &[(&str, &str)]) -> (Response, String) {
    let mut request = Request::builder().method(method).uri("/ws/ticket");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let body = to_bytes(std::mem::take(response.body_mut()), 64 * 1024).await.unwrap();
    (response, String::from_utf8(body.to_vec()).unwrap())
}

fn code(body: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_one_hub_opens_one_socket_on_any_hub() {
    let redis = RedisServer::start().await;
    let exp = (now_s() + 3600.0).floor();
    let ticket = tickets(&redis).issue(&claims("alice", exp), Instant::now()).await.unwrap();
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let (hub, ticket) = (tickets(&redis), ticket.clone());
            tokio::spawn(async move { hub.redeem(&ticket).await })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        match taker.await.unwrap() {
            Ok(claims) => taken.push(claims),
            Err(error) => assert_eq!(error.code(), Code::Unauthorized),
        }
    }
    let [taken] = taken.as_slice() else { panic!("taken {} times", taken.len()) };
    assert_eq!(taken.user.as_str(), "alice");
    assert_eq!((taken.claims.exp, taken.claims.scope.as_str()), (exp, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_value_in_redis_expires_and_contains_no_token() {
    let redis = RedisServer::start().await;
    let (router, _) = desk(&redis);
    let token = token("alice");
    let bearer = format!("Bearer {token}");
    let (response, body) = ask(&router, "POST", &[("authorization", &bearer)]).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["expiresIn"], 30);
    let ticket = body["ticket"].as_str().unwrap();
    assert_eq!(ticket.len(), 32);
    let mut connection = redis.connection().await;
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys, [format!("bw:ticket:{ticket}")]);
    let value: String = connection.get(&keys[0]).await.unwrap();
    assert!(!token.split('.').any(|part| value.contains(part)), "{value}");
    let left_ms: i64 = connection.pttl(&keys[0]).await.unwrap();
    assert!(left_ms > 0 && left_ms <= TICKET_TTL_MS as i64, "{left_ms}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_tickets_open_nothing() {
    let redis = RedisServer::start().await;
    let hub = tickets(&redis);
    // A key with that name exists: the text is rejected before it becomes part of a key.
    redis.command(&["SET", "bw:ticket:x", r#"{"sub":"alice","exp":99999999999}"#]).await;
    redis.command(&["SET", &format!("bw:ticket:{}", "y".repeat(32)), "nonsense"]).await;
    for text in ["", "x", &"A".repeat(32), &"*".repeat(32), &"y".repeat(32), &"é".repeat(16)] {
        let error = hub.redeem(text).await.unwrap_err();
        assert_eq!(error.code(), Code::Unauthorized, "{text}");
    }
    let over = hub.issue(&claims("alice", now_s() - 3600.0), Instant::now()).await.unwrap();
    assert_eq!(hub.redeem(&over).await.unwrap_err().code(), Code::TokenExpired);
    let nobody = hub.issue(&claims("a/b", now_s() + 60.0), Instant::now()).await;
    assert_eq!(nobody.unwrap_err().code(), Code::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_per_user_are_limited() {
    let redis = RedisServer::start().await;
    let hub = tickets(&redis);
    let now = Instant::now();
    let (alice, bob) = (claims("alice", now_s() + 60.0), claims("bob", now_s() + 60.0));
    for _ in 0..TICKETS_BURST {
        hub.issue(&alice, now).await.unwrap();
    }
    assert_eq!(hub.issue(&alice, now).await.unwrap_err().code(), Code::RateLimited);
    hub.issue(&bob, now).await.unwrap();
    hub.issue(&alice, now + std::time::Duration::from_secs(1)).await.unwrap();
    let kept: i64 = redis::cmd("DBSIZE").query_async(&mut redis.connection().await).await.unwrap();
    assert_eq!(kept, i64::from(TICKETS_BURST) + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_tickets_fail_with_an_error() {
    let redis = RedisServer::start().await;
    let (router, tickets) = desk(&redis);
    let ticket = tickets.issue(&claims("alice", now_s() + 60.0), Instant::now()).await.unwrap();
    redis.kill();
    let bearer = format!("Bearer {}", token("alice"));
    let headers = [("authorization", bearer.as_str()), ("origin", ORIGIN)];
    let (response, body) = ask(&router, "POST", &headers).await;
    assert_eq!((response.status().as_u16(), code(&body).as_str()), (503, "redis_unavailable"));
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN);
    let error = tickets.redeem(&ticket).await.unwrap_err();
    assert_eq!(error.code(), Code::RedisUnavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_from_a_listed_page_gets_a_ticket() {
    let redis = RedisServer::start().await;
    let (router, _) = desk(&redis);
    let good = format!("Bearer {}", token("alice"));
    let over = format!("Bearer {}", token_until("alice", now_s() - 3600.0));
    let page = ("origin", ORIGIN);
    for (method, headers, status, expected) in [
        ("POST", vec![page], 401, "unauthorized"),
        ("POST", vec![page, ("authorization", "Basic YTpi")], 401, "unauthorized"),
        ("POST", vec![page, ("authorization", &over)], 401, "token_expired"),
        ("POST", vec![("origin", "https://evil"), ("authorization", &good)], 403, "forbidden"),
        ("GET", vec![page], 405, "method_not_allowed"),
    ] {
        let (response, body) = ask(&router, method, &headers).await;
        let outcome = (response.status().as_u16(), code(&body));
        assert_eq!(outcome, (status, expected.to_owned()), "{method} {headers:?}");
        let shared = response.headers().get("access-control-allow-origin");
        assert_eq!(shared.is_some(), headers.contains(&page), "{headers:?}");
    }
    let (response, _) = ask(&router, "POST", &[("authorization", &good)]).await;
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_lets_a_listed_page_send_its_token() {
    let redis = RedisServer::start().await;
    let (router, _) = desk(&redis);
    let (response, body) = ask(&router, "OPTIONS", &[("origin", ORIGIN)]).await;
    assert_eq!((response.status(), body.as_str()), (StatusCode::NO_CONTENT, ""));
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(headers["vary"], "Origin");
    assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("Authorization"));
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let (response, _) = ask(&router, "OPTIONS", &[("origin", "https://evil.example")]).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}
