//! What every request meets: paths, methods, the order of checks, request ids.

use support::{Functions, RedisServer, token};

#[tokio::test]
async fn paths_that_are_none_are_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let everything = token("alice", "feed:read notifications:write ops:write");
    let paths = [
        "//",
        "//x",
        "/x/",
        "/healthz/",
        "//healthz",
        "/notifications/",
        "/notifications//",
        "/users//notifications",
        "/users/alice//notifications",
        "/users/alice/notifications/",
        "/users/../x",
        "/users/./notifications",
        "/users/%2e%2e/notifications",
        "/users/%2E/notifications",
        "/users/alice/../../healthz",
        "/%00",
        "/users/%00/notifications",
        "/users/a%0ab/notifications",
        "/%zz",
        "/users/%zz/notifications",
        "/users/%/notifications",
        "/users/%e9/notifications",
        "/x%",
    ];
    for path in paths {
        for method in ["GET", "POST"] {
            let answer = functions.call(method, path).token(&everything).send().await;
            assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
            assert_eq!(answer.json()["code"], "invalid_path", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn ids_that_are_none_are_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let everyone = token("alice", "feed:read");
    let too_long = "x".repeat(129);
    for id in ["a%2Fb", "a%20b", "a:b", "a%7Bb", "%C3%A9", "a,b", "a*", too_long.as_str(), "%252e"]
    {
        let target = format!("/users/{id}/notifications");
        let answer = functions.get(&target).token(&everyone).send().await;
        assert_eq!(answer.status, 400, "{id}: {}", answer.text());
        assert_eq!(answer.json()["code"], "invalid_id", "{id}");
    }
    let longest = "x".repeat(128);
    for id in ["a.b_c~d@e+f|g-h", "...", "%61lice", "7", longest.as_str()] {
        let target = format!("/users/{id}/notifications");
        functions.get(&target).token(&everyone).send().await.expect(200);
    }
    // Decoded once, and a plus is a plus.
    functions.notify("a+b", "plus").await;
    let own = functions.get("/users/a%2Bb/notifications").token(&token("a+b", "")).send().await;
    assert!(own.expect(200).text().contains("plus"));
}

#[tokio::test]
async fn unknown_paths_and_methods_say_so() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for path in
        ["/", "/nothing", "/users", "/users/alice/x", "/admin", "/notifications2", "/HEALTHZ"]
    {
        for method in ["GET", "PUT", "PATCH", "OPTIONS", "FOO"] {
            let answer = functions.call(method, path).send().await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            assert_eq!(answer.json()["code"], "not_found", "{method} {path}");
        }
    }
    let cases = [
        ("/notifications", "POST", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]),
        ("/admin/relay", "POST", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]),
        ("/admin/migrate", "POST", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]),
        ("/users/alice", "DELETE", ["GET", "PUT", "POST", "PATCH", "OPTIONS", "FOO"]),
        ("/healthz", "GET", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]),
        ("/readyz", "GET", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]),
        ("/users/alice/notifications", "GET", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"]),
    ];
    for (path, allowed, wrong) in cases {
        for method in wrong {
            let answer = functions.call(method, path).send().await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
            assert_eq!(answer.json()["code"], "method_not_allowed", "{method} {path}");
            let allow: Vec<&str> = answer.header("allow").split(", ").collect();
            assert!(allow.contains(&allowed), "{method} {path}: {allow:?}");
            assert!(!allow.contains(&method), "{method} {path}: {allow:?}");
        }
    }
}

#[tokio::test]
async fn checks_come_in_the_promised_order() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let bare = token("alice", "");
    let writer = token("alice", "notifications:write");
    let huge = || vec![b'x'; 96 * 1024 + 1];
    // Everything is wrong, then one thing less in every line.
    let call = functions.call("PUT", "/notifications/").body(huge());
    call.send().await.expect_problem(400, "invalid_path");
    functions.call("PUT", "/nothing").body(huge()).send().await.expect_problem(404, "not_found");
    let call = functions.call("PUT", "/notifications").body(huge());
    call.send().await.expect_problem(405, "method_not_allowed");
    let call = functions.post("/notifications", huge());
    call.send().await.expect_problem(401, "unauthorized");
    let call = functions.post("/notifications", huge()).token(&bare);
    call.send().await.expect_problem(403, "forbidden");
    let call = functions.post("/notifications", huge()).token(&writer);
    call.send().await.expect_problem(413, "payload_too_large");
    let call = functions.post("/notifications", &b"x"[..]).token(&writer);
    call.send().await.expect_problem(400, "bad_json");

    // The same for a feed: a bad id is a bad path.
    let call = functions.call("PUT", "/users/a%20b/notifications?limit=0");
    call.send().await.expect_problem(400, "invalid_id");
    let call = functions.call("PUT", "/users/bob/notifications?limit=0");
    call.send().await.expect_problem(405, "method_not_allowed");
    let call = functions.get("/users/bob/notifications?limit=0");
    call.send().await.expect_problem(401, "unauthorized");
    let call = functions.get("/users/bob/notifications?limit=0").token(&bare);
    call.send().await.expect_problem(403, "forbidden");
    let call = functions.get("/users/alice/notifications?limit=0").token(&bare);
    call.send().await.expect_problem(400, "invalid_field");
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let mut seen = Vec::new();
    for target in ["/healthz", "/nothing", "/notifications", "/users/alice/notifications", "/%zz"] {
        let own = functions.get(target).header("x-request-id", "Trace-1_a.b").send().await;
        assert_eq!(own.header("x-request-id"), "Trace-1_a.b", "{target}");
        let fresh = functions.get(target).send().await.header("x-request-id").to_owned();
        assert!(!seen.contains(&fresh), "{target}: {fresh} came before");
        seen.push(fresh);
    }
    // What could break a log line or a header is not taken over.
    let too_long = "x".repeat(1000);
    for bad in ["", "a b", "<script>", "a,b", too_long.as_str()] {
        let answer = functions.get("/healthz").header("x-request-id", bad).send().await;
        assert_ne!(answer.header("x-request-id"), bad);
    }
}

/// Sends a request with some header lines, byte for byte; status and body.
async fn raw(functions: &Functions, head: impl AsRef<[u8]>, lines: &[&[u8]]) -> (u16, String) {
    let mut request = head.as_ref().to_vec();
    request.extend_from_slice(b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    for line in lines {
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let answer = functions.raw(&request, |_| false).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), body.to_owned())
}

#[tokio::test]
async fn a_header_that_is_not_text_is_refused_where_it_is_needed_and_ignored_elsewhere() {
    if std::env::var_os("SPIN_BIN").is_some() {
        // Spin answers these by itself, with an empty 500.
        return;
    }
    let redis = RedisServer::start().await;
    let functions =
        Functions::with(&redis).variable("cors_origins", "https://app.example").start().await;
    functions.notify("alice", "one").await;
    let own = format!("authorization: Bearer {}", token("alice", "notifications:write"));
    let own = own.as_bytes();
    let feed = "GET /users/alice/notifications";
    for odd in
        ["x-odd", "user-agent", "cookie", "accept", "content-type", "origin", "x-request-id", "te"]
    {
        let line = [odd.as_bytes(), b": \xff\xfe"].concat();
        assert_eq!(raw(&functions, feed, &[own, &line]).await.0, 200, "{odd}");
        assert_eq!(raw(&functions, "GET /healthz", &[&line]).await.0, 200, "{odd}");
    }
    for target in [feed, "GET /openapi.json", "GET /cache/settings"] {
        let line = b"if-none-match: \"\xff\"";
        let (status, body) = raw(&functions, target, &[own, line]).await;
        assert!(status == 400 && body.contains("invalid_field"), "{target}: {status} {body}");
        assert!(body.contains("if-none-match"), "{body}");
    }
    for line in [&b"authorization: Bearer \xff"[..], b"authorization: \xff"] {
        let (status, body) = raw(&functions, feed, &[line]).await;
        assert!(status == 401 && body.contains("unauthorized"), "{status} {body}");
    }
    let (status, body) = raw(&functions, feed, &[own, own]).await;
    assert!(status == 401 && body.contains("stands twice"), "{status} {body}");
    let line = b"idempotency-key: \xe9";
    let (status, body) = raw(&functions, "POST /notifications", &[own, line]).await;
    assert!(status == 400 && body.contains("idempotency-key"), "{status} {body}");
    assert!(!functions.output().contains("backtrace"), "{}", functions.output());
}

#[tokio::test]
async fn odd_heads_get_a_clear_answer() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    // The host's own answers: nothing of it reaches a component.
    for (head, line) in [
        (&b"GET /healthz\xff"[..], &b"x: y"[..]),
        (b"GET /healthz", b"a b: c"),
        (b"GET /healthz", b"\xff: c"),
        (b"GET /healthz", b": c"),
        (b"GET /healthz", b"content-length: 1, 2"),
        (b"GET /healthz", b"content-length: -1"),
    ] {
        let (status, _) = raw(&functions, head, &[line]).await;
        assert_eq!(status, 400, "{} {line:?}", head.escape_ascii());
    }
    assert_eq!(raw(&functions, "GET /\u{e9}", &[]).await.0, 404);
    let twice: [&[u8]; 2] = [b"content-length: 1", b"content-length: 2"];
    assert_eq!(raw(&functions, "GET /healthz", &twice).await.0, 400);
    let many: Vec<Vec<u8>> = (0..300).map(|n| format!("x-{n}: y").into_bytes()).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    assert_eq!(raw(&functions, "GET /healthz", &many).await.0, 431);
    let huge = [&b"x: "[..], &vec![b'y'; 1 << 20]].concat();
    assert_eq!(raw(&functions, "GET /healthz", &[&huge]).await.0, 431);
    // An absolute target is one path as any other (RFC 9112 §3.2.2).
    assert_eq!(raw(&functions, "GET http://x/healthz", &[]).await.0, 200);
    let (status, body) = raw(&functions, "GET http://x//healthz", &[]).await;
    assert!(status == 400 && body.contains("invalid_path"), "{status} {body}");
    assert_eq!(raw(&functions, "GET /healthz", &[b"x:", b"authorization:"]).await.0, 200);
    let feed = "GET /users/alice/notifications";
    for empty in [&b"authorization:"[..], b"authorization: Bearer", b"authorization: Bearer "] {
        assert_eq!(raw(&functions, feed, &[empty]).await.0, 401);
    }
    let own = format!("authorization: Bearer {}", token("alice", "notifications:write"));
    for (query, status) in [("?limit=%ff", 400), ("?limit=%", 400), ("?%00=1", 400), ("?", 200)] {
        let head = format!("{feed}{query}");
        assert_eq!(raw(&functions, &head, &[own.as_bytes()]).await.0, status, "{query}");
    }
    let empty: [&[u8]; 2] = [own.as_bytes(), b"idempotency-key:"];
    assert_eq!(raw(&functions, "POST /notifications", &empty).await.0, 400);
    let empty: [&[u8]; 2] = [own.as_bytes(), b"if-none-match:"];
    assert_eq!(raw(&functions, feed, &empty).await.0, 200);
}

#[tokio::test]
async fn answers_of_every_kind_carry_content_length() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    // The client checks this on every answer; here it is seen on the wire, unprocessed.
    let own = token("alice", "");
    for (head, status) in [
        (format!("GET /users/alice/notifications HTTP/1.1\r\nauthorization: Bearer {own}"), 200),
        ("GET /nothing HTTP/1.1".to_owned(), 404),
        ("DELETE /healthz HTTP/1.1".to_owned(), 405),
        ("GET /users/alice/notifications HTTP/1.1".to_owned(), 401),
    ] {
        let request = format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = functions.raw(request.as_bytes(), |_| false).await.to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let expected = format!("\r\ncontent-length: {}", body.len());
        assert!(head.contains(&expected), "{answer}");
        assert!(!head.contains("transfer-encoding"), "{answer}");
    }
}
