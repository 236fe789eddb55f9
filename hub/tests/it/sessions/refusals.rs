//! Rejected handshakes as an operator sees them: a log line and a counter for each reason.

use std::net::SocketAddr;
use std::time::Duration;

use ::support::ports;
use ::support::process::Signal;
use futures_util::future::join_all;
use hub::limits::{REFUSAL_LINES_MAX, TICKETS_BURST};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{
    Client, KEY, ORIGIN, Program, RedisServer, SOON, now_s, sign, token, token_until, until,
};

/// `hub::limits::HEADER_DEADLINE`, with slack for a busy machine.
const HEAD_LIMIT: Duration = Duration::from_secs(15 + 10);
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A hub with a readable log.
struct Watched {
    hub: Program,
    metrics: SocketAddr,
}

impl Watched {
    async fn start(redis: &RedisServer, key: &str, flags: &[&str]) -> Self {
        let metrics = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let setup = Program::with(redis).key(key).arguments(flags).arguments(&[
            "--log=info",
            "--log-format=json",
            &format!("--metrics-listen={metrics}"),
            &format!("--allowed-origins={ORIGIN}"),
        ]);
        Self { hub: Program::start_with(setup).await, metrics }
    }

    fn address(&self) -> SocketAddr {
        self.hub.address()
    }

    fn lines(&self, message: &str) -> Vec<Value> {
        lines(&self.hub.output(), message)
    }

    async fn count(&self, reason: &str) -> u64 {
        let page = ask(self.metrics, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
        let label = format!("reason=\"{reason}\"}} ");
        let line = page.lines().find_map(|line| Some(line.split_once(&label)?.1));
        line.unwrap_or_else(|| panic!("{reason}: {page}")).parse().unwrap()
    }

    /// Waits for the log line and the count of a rejection; returns the line.
    async fn refused(&self, reason: &str) -> Value {
        let mut line = Value::Null;
        until(&format!("{reason} is logged and counted"), async || {
            let found = self.lines("refused").into_iter().find(|line| line["reason"] == reason);
            line = found.unwrap_or_default();
            !line.is_null() && self.count(reason).await > 0
        })
        .await;
        assert_eq!(line["level"], "INFO", "{line}");
        line
    }
}

/// The log lines with this message.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter(|line: &Value| line["message"] == message).collect()
}

/// Sends a request and reads until the hub closes.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = timeout(HEAD_LIMIT, connection.read_to_string(&mut answer)).await;
    reading.expect("in time").expect("an answer");
    answer
}

async fn handshake(hub: &Watched, path: &str, headers: &str) -> String {
    ask(hub.address(), &format!("GET {path} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n")).await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rejected_handshake_is_logged_and_counted_by_its_reason() {
    let redis = RedisServer::start().await;
    let hub = Watched::start(&redis, KEY, &[]).await;
    let good = bearer(&token("alice"));
    let mut silent = TcpStream::connect(hub.address()).await.unwrap();
    silent.write_all(b"GET /ws/notifi").await.unwrap();
    let wrong_key = sign(&"x".repeat(32), &json!({"sub": "alice", "exp": now_s() + 60.0}));
    let path = "/ws/notifications";
    for (reason, path, headers) in [
        ("no_token", path, UPGRADE.to_owned()),
        ("token", path, UPGRADE.to_owned() + &bearer(&wrong_key)),
        (
            "token_expired",
            path,
            UPGRADE.to_owned() + &bearer(&token_until("alice", now_s() - 61.0)),
        ),
        ("subject", path, UPGRADE.to_owned() + &bearer(&token("a b"))),
        ("origin", path, format!("{UPGRADE}{good}Origin: https://evil.example\r\n")),
        ("protocol", path, format!("{UPGRADE}{good}Sec-WebSocket-Protocol: graphql-ws\r\n")),
        ("upgrade", path, good.clone()),
        ("query", "/ws/notifications?since=nonsense", format!("{UPGRADE}{good}")),
        ("ticket", "/sse/notifications?ticket=nonsense", String::new()),
        ("method", path, format!("{good}Content-Length: 1\r\n\r\nx")),
        ("head_too_large", path, format!("X: {}\r\n", "x".repeat(30_000))),
        ("head_malformed", path, "no header\r\n".to_owned()),
    ] {
        assert!(handshake(&hub, path, &headers).await.starts_with("HTTP/1.1 4"), "{reason}");
        hub.refused(reason).await;
        assert_eq!(hub.count(reason).await, 1, "{reason}");
    }
    let line = hub.refused("origin").await;
    assert_eq!(line["origin"], "https://evil.example");
    assert_eq!(line["code"], "forbidden");
    // The client received the same id.
    assert_eq!(line["request"].as_str().map(str::len), Some(16), "{line}");
    assert!(hub.refused("token").await["detail"].as_str().unwrap().contains("signature"));
    let ask_ticket = format!("POST /ws/ticket HTTP/1.1\r\nHost: hub\r\n{good}\r\n");
    for _ in 0..=TICKETS_BURST {
        ask(hub.address(), &ask_ticket).await;
    }
    hub.refused("ticket_rate").await;
    let gone = timeout(HEAD_LIMIT, silent.read(&mut [0; 1])).await.expect("in time");
    assert!(matches!(gone, Ok(0) | Err(_)), "{gone:?}");
    hub.refused("head_timeout").await;
    let log = hub.hub.output();
    let payload = token("alice").split('.').nth(1).unwrap().to_owned();
    assert!(!log.contains(&payload[..20]) && !log.contains("eyJ"), "a token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_by_limits_are_logged_and_counted_by_their_reason() {
    let good = UPGRADE.to_owned() + &bearer(&token("alice"));
    for (flag, reason, status) in [
        ("--sockets-per-user-max=1", "user_sockets", 429),
        ("--sockets-max=1", "sockets", 503),
        ("--handshakes-per-s=1", "handshake_rate", 503),
        ("--connections-per-address-max=1", "address_connections", 429),
        ("--connects-per-address-per-s=1", "address_rate", 429),
        ("--connections-max=1", "connections", 503),
    ] {
        let redis = RedisServer::start().await;
        let mut flags = vec![flag];
        if reason == "connections" {
            flags.push("--sockets-max=1");
        }
        let hub = Watched::start(&redis, KEY, &flags).await;
        let first = Client::connect(hub.address(), &token("alice"), None).await.unwrap();
        let mut refused = String::new();
        // The rate limit lets some more pass.
        while refused.is_empty() {
            let mut connection = TcpStream::connect(hub.address()).await.unwrap();
            let request = format!("GET /ws/notifications HTTP/1.1\r\nHost: hub\r\n{good}\r\n");
            let _ = connection.write_all(request.as_bytes()).await;
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            refused = if answer.ends_with("101") { String::new() } else { answer };
        }
        assert_eq!(refused, format!("HTTP/1.1 {status}"), "{flag}");
        hub.refused(reason).await;
        drop(first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_and_a_missing_redis_are_logged_and_counted() {
    let redis = RedisServer::start().await;
    let hub = Watched::start(&redis, "", &[]).await;
    let good = UPGRADE.to_owned() + &bearer(&token("alice"));
    assert!(handshake(&hub, "/ws/notifications", &good).await.starts_with("HTTP/1.1 503 "));
    hub.refused("no_key").await;
    drop(hub);
    let hub = Watched::start(&redis, KEY, &[]).await;
    redis.kill();
    let ticket = format!("/sse/notifications?ticket={}", "a".repeat(32));
    assert!(handshake(&hub, &ticket, "").await.starts_with("HTTP/1.1 503 "));
    hub.refused("redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_rejections_writes_a_bounded_number_of_lines() {
    const REFUSALS: usize = 10_000;
    let redis = RedisServer::start().await;
    let hub = Watched::start(&redis, KEY, &[]).await;
    for page in 0..REFUSALS / 100 {
        let asking = (0..100).map(|number| {
            let origin = format!("{UPGRADE}Origin: https://{page}-{number}.example\r\n");
            let hub = &hub;
            async move { handshake(hub, "/ws/notifications", &origin).await }
        });
        for answer in join_all(asking).await {
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        }
    }
    assert_eq!(hub.count("no_token").await, REFUSALS as u64);
    let (_, log) = hub.hub.end_by(Signal::TERM, SOON).await;
    // A flood that lasts more than a minute writes the lines of two minutes.
    let (refused, sums) = (lines(&log, "refused"), lines(&log, "refused more"));
    assert!(refused.len() <= REFUSAL_LINES_MAX * sums.len(), "{}", refused.len());
    let summed: u64 = sums.iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(refused.len() + usize::try_from(summed).unwrap(), REFUSALS);
}
