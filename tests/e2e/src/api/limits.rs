//! Bodies that are malformed, incomplete, too large or too deep.

use std::time::Duration;

use serde_json::{Value, json};
use support::{Functions, RedisServer, token};

const QUICK: Duration = Duration::from_secs(5);

/// Declares one byte more than is allowed, sends none, and must be answered 413.
pub async fn refuses_more_than(functions: &Functions, call: &str, scope: &str, bytes_max: usize) {
    let (token, bytes) = (token("svc", scope), bytes_max + 1);
    let head = format!("{call} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}");
    let request = format!("{head}\r\ncontent-length: {bytes}\r\n\r\n");
    let is_whole = |answer: &str| answer.contains("payload_too_large");
    let answer = functions.raw(request.as_bytes(), is_whole).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{call}: {answer}");
}

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"userId": "alice", "title": "one"});
    body[member] = value;
    body
}

#[tokio::test]
async fn malformed_json_is_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let bodies = [
        "",
        " ",
        "x",
        "null",
        "17",
        "\"text\"",
        "[]",
        "[{\"userId\":\"alice\",\"title\":\"one\"}]",
        "{",
        "{\"userId\":\"alice\",\"title\":\"one\"",
        "{\"userId\":\"alice\",\"title\":\"one\"}}",
        "{\"userId\":\"alice\",\"title\":\"one\"} x",
        "{\"userId\":\"alice\",\"title\":\"one\",}",
        "{'userId':'alice'}",
        "{\"userId\":\"alice\",\"title\":\"\\ud800\"}x",
        "{\"userId\":\"alice\",\"title\":\"tab\there\"",
        "{\"userId\":\"alice\",\"title\":\"one\",\"data\":[1,]}",
        "{\"userId\":\"alice\",\"title\":\"one\",\"data\":01}",
        "{\"userId\":\"alice\",\"title\":\"one\",\"data\":NaN}",
        "\u{feff}{\"userId\":\"alice\",\"title\":\"one\"}",
    ];
    for body in bodies {
        let answer = functions.create_raw(body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert_eq!(answer.json()["code"], "bad_json", "{body}");
    }
    let writer = token("x", "notifications:write");
    let not_utf8 = b"{\"userId\":\"alice\",\"title\":\"\xff\"}".to_vec();
    let call = functions.post("/notifications", not_utf8).token(&writer);
    call.send().await.expect_problem(400, "bad_json");
    assert_eq!(functions.titles("alice").await, [""; 0]);
}

#[tokio::test]
async fn wrong_members_are_named() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let cases = [
        ("unknown_field", "colour", with("colour", json!(1))),
        ("unknown_field", "Title", with("Title", json!("x"))),
        ("unknown_field", "seq", with("seq", json!(1))),
        ("unknown_field", "id", with("id", json!("x"))),
        ("unknown_field", "delivery", with("delivery", json!("sent"))),
        ("missing_field", "userId", json!({"title": "one"})),
        ("missing_field", "userId", with("userId", Value::Null)),
        ("missing_field", "title", json!({"userId": "alice"})),
        ("missing_field", "title", with("title", Value::Null)),
        ("invalid_field", "title", with("title", json!(17))),
        ("invalid_field", "title", with("title", json!({}))),
        ("invalid_field", "body", with("body", json!(["x"]))),
        ("invalid_field", "kind", with("kind", json!(false))),
        ("invalid_field", "expiresAt", with("expiresAt", json!("tomorrow"))),
        ("invalid_field", "expiresAt", with("expiresAt", json!("2026-13-01T00:00:00Z"))),
        ("invalid_field", "expiresAt", with("expiresAt", json!(1_800_000_000))),
        ("invalid_field", "userId", with("userId", json!(true))),
        ("invalid_field", "userId", with("userId", json!(1.5))),
        ("invalid_field", "userId", with("userId", json!({"id": "alice"}))),
        ("invalid_id", "userId", with("userId", json!(""))),
        ("invalid_id", "userId", with("userId", json!("."))),
        ("invalid_id", "userId", with("userId", json!(".."))),
        ("invalid_id", "userId", with("userId", json!("a b"))),
        ("invalid_id", "userId", with("userId", json!("a:b"))),
        ("invalid_id", "userId", with("userId", json!("a\u{0}"))),
        ("invalid_id", "userId", with("userId", json!("x".repeat(129)))),
        ("invalid_field", "title", with("title", json!("a\u{0}b"))),
        ("invalid_field", "body", with("body", json!("\u{0}"))),
        ("invalid_field", "kind", with("kind", json!("\u{0}"))),
        ("invalid_field", "data", with("data", json!("\u{0}"))),
        ("invalid_field", "data", with("data", json!({"deep": [{"a\u{0}": 1}]}))),
    ];
    for (code, field, body) in cases {
        let answer = functions.create(&body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{body}: {problem}");
        assert_eq!(problem["field"], field, "{body}: {problem}");
        if code == "unknown_field" {
            assert!(problem["detail"].as_str().unwrap().contains(field), "{body}: {problem}");
        }
    }
    assert_eq!(functions.titles("alice").await, [""; 0]);
}

#[tokio::test]
async fn limits_hold_to_the_character_and_to_the_byte() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let text = |bytes: usize| json!("x".repeat(bytes));
    let nested = |depth: usize| -> Value {
        serde_json::from_str(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).unwrap()
    };
    let cases = [
        ("title", text(200), text(201)),
        // Characters, not bytes.
        ("title", json!("ü".repeat(200)), json!("ü".repeat(201))),
        ("title", json!("\u{1F600}".repeat(200)), json!("\u{1F600}".repeat(201))),
        ("body", text(4096), text(4097)),
        ("body", json!("ü".repeat(2048)), json!("ü".repeat(2049))),
        // As it was sent, quotes included.
        ("data", text(8190), text(8191)),
        ("data", nested(32), nested(33)),
        ("data", json!({"a": nested(31)}), json!({"a": nested(32)})),
    ];
    for (field, fits, exceeds) in cases {
        let answer = functions.create(&with(field, fits)).await;
        assert_eq!(answer.status, 201, "{field}: {}", answer.text());
        let answer = functions.create(&with(field, exceeds)).await;
        assert_eq!(answer.status, 400, "{field}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["code"], "limit_exceeded", "{field}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(field), "{field}: {problem}");
    }
    let longest = "x".repeat(128);
    functions.create(&with("userId", json!(longest))).await.expect(201);
}

#[tokio::test]
async fn nesting_far_beyond_the_limit_does_no_harm() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(40 * 1024 / open.len());
        let data = format!(r#"{{"userId":"alice","title":"one","data":{deep}"#);
        functions.create_raw(&data).await.expect(400);
        functions.create_raw(&deep).await.expect(400);
    }
    functions.notify("alice", "still here").await;
}

#[tokio::test]
async fn a_request_of_exactly_the_limit_is_taken() {
    const LIMIT: usize = 96 * 1024;
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let padded = |bytes: usize| {
        let (open, close) = (r#"{"userId":"alice","title":"padded""#, "}");
        format!("{open}{}{close}", " ".repeat(bytes - open.len() - close.len()))
    };
    functions.create_raw(&padded(LIMIT)).await.expect(201);
    let answer = functions.create_raw(&padded(LIMIT + 1)).await;
    answer.expect_problem(413, "payload_too_large").within(QUICK);
}

#[tokio::test]
async fn a_body_far_too_large_is_refused_before_it_has_been_read() {
    const MIB: usize = 1024 * 1024;
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let writer = token("x", "notifications:write");
    let head = format!("POST /notifications HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {writer}");
    let begun = std::time::Instant::now();
    let is_whole = |answer: &str| answer.contains("payload_too_large");

    // Declared, and never sent.
    let declared = format!("{head}\r\ncontent-length: {}\r\n\r\n", 10 * MIB);
    let answer = functions.raw(declared.as_bytes(), is_whole).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    // Declared and sent.
    let mut sent = declared.into_bytes();
    sent.resize(sent.len() + 10 * MIB, b' ');
    let answer = functions.raw(&sent, is_whole).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    // Not declared: counted as it comes.
    let mut chunked = format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..10 {
        chunked.extend_from_slice(format!("{MIB:x}\r\n").as_bytes());
        chunked.resize(chunked.len() + MIB, b' ');
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = functions.raw(&chunked, is_whole).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    // Chunked, and never ended.
    let endless = &chunked[..chunked.len() - 5];
    let answer = functions.raw(endless, is_whole).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(begun.elapsed() < 2 * QUICK, "{:?}", begun.elapsed());
    functions.notify("alice", "still here").await;
}

#[tokio::test]
async fn a_chunked_body_within_the_limit_is_taken() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let writer = token("x", "notifications:write");
    let body = r#"{"userId":"alice","title":"in pieces"}"#;
    let mut request = format!(
        "POST /notifications HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {writer}\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    for byte in body.chars() {
        request.push_str(&format!("1\r\n{byte}\r\n"));
    }
    request.push_str("0\r\n\r\n");
    let answer = functions.raw(request.as_bytes(), |_| false).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(functions.titles("alice").await, ["in pieces"]);
}

#[tokio::test]
async fn a_body_that_breaks_off_creates_nothing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let writer = token("x", "notifications:write");
    let body = r#"{"userId":"alice","title":"half"}"#;
    let request = format!(
        "POST /notifications HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {writer}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len() + 100
    );
    // Closes the connection with a part of the body missing, although what came is complete JSON.
    functions.send_and_hang_up(request.as_bytes()).await;
    functions.notify("alice", "whole").await;
    assert_eq!(functions.titles("alice").await, ["whole"]);
}
