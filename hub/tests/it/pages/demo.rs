//! The demo page: off by default, refused where others could ask, tokens for its own pages only.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Fetched, fetch};
use crate::support::{Client, Hub, Program, RedisServer, now_s};

const FUNCTIONS: &str = "http://127.0.0.1:9/base";

/// A hub with the demo, whose functions are nowhere.
async fn start(redis: &RedisServer) -> Program {
    let setup = Program::with(redis).relay(FUNCTIONS).arguments(&["--demo", "--log=warn"]);
    Program::start_with(setup).await
}

fn own(address: SocketAddr) -> String {
    format!("Origin: http://{address}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n")
}

async fn token(address: SocketAddr, user: &str, headers: &str) -> Fetched {
    fetch(address, "POST", &format!("/demo/token/{user}"), headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn is_not_there_unless_asked_for() {
    let hub = Hub::start().await;
    assert_eq!(fetch(hub.address, "GET", "/demo", "").await.status, 404);
    assert_eq!(token(hub.address, "alice", &own(hub.address)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_its_parts_are_served_with_a_strict_policy() {
    let redis = RedisServer::start().await;
    let hub = start(&redis).await;
    let address = hub.address();
    let page = fetch(address, "GET", "/demo", "").await;
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let html = page.text();
    assert!(html.contains(&format!("hub=\"http://{address}\"")), "{html}");
    assert!(html.contains(&format!("functions=\"{FUNCTIONS}\"")) && !html.contains("{{"), "{html}");
    // Nothing inline, nothing from elsewhere.
    assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" onclick="));
    let parts: Vec<&str> = html.split('"').filter(|text| text.starts_with("assets/")).collect();
    assert_eq!(parts.len(), 2, "{html}");
    for part in parts {
        let answer = fetch(address, "GET", &format!("/{part}"), "").await;
        assert_eq!(answer.status, 200, "{part}");
        assert!(answer.header("cache-control").unwrap().contains("immutable"), "{part}");
    }
    let policy = page.header("content-security-policy").unwrap();
    let connects = format!("connect-src 'self' ws://{address} http://127.0.0.1:9;");
    for directive in ["default-src 'none'", "trusted-types 'none'", "script-src 'self'", &connects]
    {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let refused = fetch(address, "POST", "/demo", "Content-Length: 0\r\n").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    support::logged(|| hub.output(), &["--demo is on"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_page_gets_tokens_for_a_quarter_of_an_hour() {
    let redis = RedisServer::start().await;
    let hub = start(&redis).await;
    let address = hub.address();
    for (user, scope) in [("alice", ""), ("bob", ""), ("sender", "notifications:write")] {
        let answer = token(address, user, &own(address)).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["expiresIn"], 900);
        let token = body["token"].as_str().unwrap();
        let keys = shared::auth::KeyConfig {
            hs256_key: crate::support::KEY.to_owned(),
            ..Default::default()
        };
        let claims = shared::auth::KeySet::new(&keys).unwrap().verify(token, now_s()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.scope.as_str()), (user, scope));
        let left_s = claims.exp - now_s();
        assert!((800.0..=900.0).contains(&left_s), "{left_s}");
        Client::connect(address, token, Some("bellwire.v1")).await.unwrap();
    }
    for (user, status) in [("carol", 404), ("%ff", 400), ("a%2e%2e", 404), ("%00", 400)] {
        let refused = token(address, user, &own(address)).await;
        let media_type = refused.header("content-type");
        assert_eq!((refused.status, media_type), (status, Some("application/problem+json")));
    }
    let get = fetch(address, "GET", "/demo/token/alice", &own(address)).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_a_token() {
    let redis = RedisServer::start().await;
    let hub = start(&redis).await;
    let address = hub.address();
    let length = "Content-Length: 0\r\n";
    for headers in [
        length.to_owned(),
        format!("{length}Origin: https://evil.example\r\n"),
        format!("{length}Origin: null\r\n"),
        format!("{length}Origin: http://127.0.0.1:9\r\n"),
        format!("{length}Origin: http://{address}\r\nSec-Fetch-Site: cross-site\r\n"),
        format!("{length}Origin: http://{address}\r\nX-Forwarded-For: 192.0.2.1\r\n"),
    ] {
        let refused = token(address, "alice", &headers).await;
        assert_eq!(refused.status, 403, "{headers}");
        assert!(!refused.text().contains("eyJ"));
    }
    // The same page under a name that somebody else made point to this machine.
    let rebound = "GET /demo HTTP/1.1\r\nHost: evil.example:3001\r\n\r\n";
    assert_eq!(crate::support::request(address, rebound).await.status, 403);
}
