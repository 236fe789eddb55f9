//! Accepted and rejected handshakes, and the form of rejections.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::json;

use crate::support::{
    Answer, Client, Hub, KEY, ORIGIN, Options, RedisServer, now_s, request, sign, token,
};

async fn handshake(hub: &Hub, headers: &[&str]) -> Answer {
    let mut text = "GET /ws/notifications HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\n\
                    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        .to_owned();
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    request(hub.address, &format!("{text}\r\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_selects_a_protocol_and_the_token_is_not_echoed() {
    let hub = Hub::start().await;
    for (offer, selected) in [("bellwire.v1", "bellwire.v1"), ("bellwire.raw", "bellwire.raw")] {
        let mut request = tokio_tungstenite::tungstenite::client::ClientRequestBuilder::new(
            format!("ws://{}/ws/notifications", hub.address).parse().unwrap(),
        );
        for protocol in [offer.to_owned(), format!("bearer.{}", token("alice"))] {
            request = request.with_sub_protocol(protocol);
        }
        let request = request.with_header("Origin", ORIGIN);
        let (_socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], selected);
        assert!(!format!("{:?}", response.headers()).contains("bearer"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_handshakes_are_answered_with_problems() {
    let hub = Hub::start().await;
    let claims = |seconds: f64| json!({"sub": "alice", "exp": now_s() + seconds});
    let bearer = |token: String| format!("Authorization: Bearer {token}");
    let none = format!(
        "{}.{}.",
        BASE64URL.encode(r#"{"alg":"none","typ":"JWT"}"#),
        BASE64URL.encode(claims(60.0).to_string())
    );
    let good = bearer(token("alice"));
    let evil = "Origin: https://evil.example".to_owned();
    let only_bearer = format!("Sec-WebSocket-Protocol: bearer.{}", token("alice"));
    let cases = [
        ("no token", vec![], 401, "unauthorized"),
        ("wrong key", vec![bearer(sign(&"x".repeat(32), &claims(60.0)))], 401, "unauthorized"),
        ("expired", vec![bearer(sign(KEY, &claims(-61.0)))], 401, "token_expired"),
        ("none", vec![bearer(none)], 401, "unauthorized"),
        ("no user id", vec![bearer(token("a b"))], 403, "forbidden"),
        ("wrong origin", vec![good.clone(), evil], 403, "forbidden"),
        ("only bearer", vec![only_bearer], 400, "invalid_field"),
    ];
    for (name, headers, status, code) in cases {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = handshake(&hub, &headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
        assert!(answer.header("x-request-id").is_some(), "{name}");
        let challenge = (status == 401).then_some("Bearer");
        assert_eq!(answer.header("www-authenticate"), challenge, "{name}");
    }
    // A listed `Origin` and a missing one are accepted; a plain GET is not a handshake.
    let path = format!("/ws/notifications?access_token={}", token("alice"));
    assert_eq!(hub.get(&path).await.status, 401);
    let text = format!("GET /ws/notifications HTTP/1.1\r\nHost: hub\r\n{good}\r\n\r\n");
    assert_eq!(request(hub.address, &text).await.status, 400);
}

/// RFC 6455 §4.2.1, §4.4.
#[tokio::test(flavor = "multi_thread")]
async fn only_valid_handshakes_of_version_13_are_accepted() {
    let hub = Hub::start().await;
    let good = "GET /ws/notifications HTTP/1.1|Connection: keep-alive, Upgrade|\
                Upgrade: WebSocket|Sec-WebSocket-Version: 13|\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (what, instead) in [
        ("HTTP/1.1", "HTTP/1.0"),
        ("Connection: keep-alive, Upgrade", "Connection: keep-alive"),
        ("Upgrade: WebSocket", "Upgrade: h2c"),
        ("Version: 13", "Version: 8"),
        ("Sec-WebSocket-Version: 13", "X: 13"),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X: a"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=*"),
        ("|Sec-WebSocket-Key", "|Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==|Sec-WebSocket-Key"),
    ] {
        assert!(good.contains(what));
        let text = good.replace(what, instead).replace('|', "\r\n");
        let bearer = token("alice");
        let text = format!("{text}\r\nHost: hub\r\nAuthorization: Bearer {bearer}\r\n\r\n");
        let answer = request(hub.address, &text).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_field"), "{instead}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{instead}");
    }
}

/// The same words as in the functions.
#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_answered_with_the_failed_check() {
    let hub = Hub::start().await;
    let exp = now_s() + 60.0;
    let cases = [
        ("two.parts".to_owned(), "two parts, not three"),
        (sign(&"x".repeat(32), &json!({"sub": "alice", "exp": exp})), "does not match the key"),
        (sign(KEY, &json!({"exp": exp})), "`sub` is missing"),
        (sign(KEY, &json!({"sub": 7, "exp": exp})), "`sub` is not text but a number"),
        (sign(KEY, &json!({"sub": "alice"})), "`exp` is missing"),
        (sign(KEY, &json!({"sub": "alice", "exp": "soon"})), "`exp` is not a number but text"),
        (
            sign(KEY, &json!({"sub": "alice", "exp": exp, "scope": [7]})),
            "`scope` contains a number",
        ),
        (sign(KEY, &json!({"sub": "alice", "exp": exp, "iss": ["a"]})), "`iss` is not text"),
    ];
    for (token, problem) in cases {
        let answer = handshake(&hub, &[&format!("Authorization: Bearer {token}")]).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{problem}");
        assert!(answer.body.contains(problem), "{}, not {problem}", answer.body);
        assert!(!answer.body.contains(&token), "{}", answer.body);
    }
}

/// As the functions do: a proxy may have checked the other one.
#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_in_headers_are_refused_everywhere() {
    let options = Options { metrics_token: Some("scrape".to_owned()), ..Options::default() };
    let hub = Hub::start_with(options).await;
    let good = format!("Authorization: Bearer {}", token("alice"));
    for headers in [[good.as_str(), &good], [&good, "Authorization: Bearer x"]] {
        let answer = handshake(&hub, &headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
        assert!(answer.body.contains("the header `authorization` stands twice"), "{}", answer.body);
    }
    for start in ["GET /sse/notifications", "POST /ws/ticket"] {
        let text = format!("{start} HTTP/1.1\r\nHost: hub\r\n{good}\r\n{good}\r\n\r\n");
        assert_eq!(request(hub.address, &text).await.status, 401, "{start}");
    }
    let scrape = "Authorization: Bearer scrape\r\n";
    let text = format!("GET /metrics HTTP/1.1\r\nHost: hub\r\n{scrape}{scrape}\r\n");
    assert_eq!(request(hub.address, &text).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_every_handshake_is_rejected() {
    let options = Options { has_no_key: true, ..Options::default() };
    let hub = Hub::start_on(RedisServer::start().await, options).await;
    // `/readyz` reports it, too, before any client comes.
    let ready = hub.get("/readyz").await;
    assert_eq!((ready.status, ready.code().as_str()), (503, "auth_not_configured"));
    assert!(ready.body.contains("auth: no key is configured"), "{}", ready.body);
    assert_eq!(hub.get("/healthz").await.status, 200);
    let answer = handshake(&hub, &[&format!("Authorization: Bearer {}", token("alice"))]).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "auth_not_configured"));
    assert!(Client::connect(hub.address, &token("alice"), None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_answered() {
    let hub = Hub::start().await;
    let alive = hub.get("/healthz").await;
    assert_eq!((alive.status, alive.body.as_str()), (200, r#"{"status":"ok"}"#));
    let unknown = hub.get("/ws").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "not_found"));
    for (path, allow) in [("/healthz", "GET, HEAD"), ("/ws/notifications", "GET")] {
        let text = format!("POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n");
        let answer = request(hub.address, &text).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.header("allow"), Some(allow));
    }
}
