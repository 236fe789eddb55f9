//! Everything passes: sockets with their cursors and subprotocols, event streams at once, tickets, the
//! browser client, and requests to the functions up to their largest size. Secrets stay out of the logs.

use serde_json::json;
use support::{Events, Http, Socket, Software, token};

use super::{Site, behind_each, connect};

behind_each!(
    a_socket_resumes,
    an_event_stream_arrives_at_once_and_resumes,
    the_functions_and_the_browser_client_have_the_same_address,
    a_body_of_three_mebibytes_reaches_the_functions,
    no_token_or_ticket_is_logged,
);

async fn a_socket_resumes(software: Software) {
    let site = Site::start(&[]).await;
    let proxy = site.behind(software).await;
    let tunnel = proxy.tunnel().await;
    let (mut socket, _) = connect(&tunnel, "alice", "").await;
    site.functions.notify("alice", "one").await;
    assert_eq!(socket.titles(1).await, ["one"]);
    socket.send_text(r#"{"type":"ping"}"#).await;
    let pong = socket.json().await;
    assert_eq!((&pong["type"], &pong["seq"]), (&json!("pong"), &json!(1)));
    drop(socket);
    for title in ["two", "three"] {
        site.functions.notify("alice", title).await;
    }
    let epoch = pong["epoch"].as_str().unwrap();
    let (mut socket, welcome) =
        connect(&tunnel, "alice", &format!("?since=seq:1&epoch={epoch}")).await;
    assert_eq!(welcome["seq"], 3);
    assert_eq!(socket.titles(2).await, ["two", "three"]);
    // A client that breaks the protocol gets the hub's own code.
    socket.send_text("nonsense").await;
    assert_eq!(socket.close_code().await, 4400);
}

async fn an_event_stream_arrives_at_once_and_resumes(software: Software) {
    let site = Site::start(&[]).await;
    let proxy = site.behind(software).await;
    let tunnel = proxy.tunnel().await;
    // Without a feed there would be no position to begin with.
    site.functions.notify("alice", "before").await;
    let authorization = format!("Authorization: Bearer {}\r\n", token("alice", ""));
    let mut events = Events::connect(tunnel.address(), "", &authorization).await;
    assert!(events.head.starts_with("HTTP/1.1 200 "), "{}", events.head);
    let welcome = events.next().await.expect("an open stream");
    assert!(welcome.id.is_some(), "{welcome:?}");
    let mut last = None;
    for title in ["one", "two"] {
        site.functions.notify("alice", title).await;
        let block = events.next().await.expect("an open stream");
        assert!(block.data.contains(title), "{block:?}");
        last = block.id;
    }
    drop(events);
    site.functions.notify("alice", "three").await;
    let headers = format!("{authorization}Last-Event-ID: {}\r\n", last.unwrap());
    let mut events = Events::connect(tunnel.address(), "", &headers).await;
    let missed = loop {
        let block = events.next().await.expect("an open stream");
        if block.event.as_deref() == Some("notification") {
            break block;
        }
    };
    assert!(missed.data.contains("three"), "{missed:?}");
}

async fn the_functions_and_the_browser_client_have_the_same_address(software: Software) {
    let site = Site::start(&[]).await;
    let proxy = site.behind(software).await;
    let address = proxy.tunnel().await.address().to_string();
    // Checks every answer against the contract, as without the proxy.
    let functions = Http::api(&address);
    let create = functions.post("/notifications", r#"{"userId":"alice","title":"one"}"#);
    create.token(&token("a service", "notifications:write")).send().await.expect(201);
    let feed = functions.get("/users/alice/notifications").token(&token("alice", ""));
    let feed = feed.send().await.expect(200);
    assert_eq!(feed.json()["notifications"][0]["title"], "one");
    let again = functions.get("/users/alice/notifications").token(&token("alice", ""));
    again.header("if-none-match", feed.header("etag")).send().await.expect(304);
    functions.get("/presence//x").token(&token("op", "presence:read")).send().await.expect(400);
    functions.get("/nowhere").send().await.expect(404);
    let hub = Http::plain(&address);
    for path in ["/bell.js", "/push-worker.js", "/assets/manifest.json"] {
        let answer = hub.get(path).send().await.expect(200);
        assert!(answer.header_opt("etag").is_some(), "{answer:?}");
    }
    let ticket = hub.post("/ws/ticket", "").token(&token("alice", ""));
    assert!(ticket.send().await.expect(201).json()["ticket"].is_string());
}

/// The default of nginx is one.
async fn a_body_of_three_mebibytes_reaches_the_functions(software: Software) {
    let site = Site::start(&[]).await;
    let proxy = site.behind(software).await;
    let functions = Http::api(&proxy.tunnel().await.address().to_string());
    let users = (0..3_000).map(|n| json!({"userId": n.to_string(), "fcmToken": "t".repeat(1_000)}));
    let body = json!({"users": users.collect::<Vec<_>>()}).to_string();
    assert!(body.len() > 3_000_000);
    let put = functions.call("PUT", "/campaigns/spring/users").body(body);
    put.token(&token("op", "campaigns:write")).send().await.expect(200);
    let campaign = functions.get("/campaigns/spring").token(&token("op", "campaigns:write"));
    assert_eq!(campaign.send().await.expect(200).json()["remaining"], 3_000);
}

async fn no_token_or_ticket_is_logged(software: Software) {
    let site = Site::start(&["--allow-query-token"]).await;
    let proxy = site.behind(software).await;
    let tunnel = proxy.tunnel().await;
    let http = Http::plain(&tunnel.address().to_string());
    let token = token("alice", "");
    let ticket = http.post("/ws/ticket", "").token(&token).send().await.expect(201);
    let ticket = ticket.json()["ticket"].as_str().unwrap().to_owned();
    // As browsers send it: in the list of subprotocols, and in the query.
    for (query, protocols) in [
        (String::new(), format!("bellwire.v1, bearer.{token}")),
        (format!("?ticket={ticket}"), "bellwire.v1".to_owned()),
        (format!("?access_token={token}"), "bellwire.v1".to_owned()),
    ] {
        let mut request = support::socket::handshake(&format!("/ws/notifications{query}"));
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
        let mut socket = Socket::handshake(tunnel.address(), request).await.unwrap();
        assert_eq!(socket.json().await["type"], "welcome");
        socket.send_text("nonsense").await;
        assert_eq!(socket.close_code().await, 4400);
    }
    let logs = support::logged(|| proxy.logs().replace('\n', " "), &["/ws/notifications"]).await;
    for secret in [&token, &ticket] {
        assert!(!logs.contains(secret.as_str()), "{logs}");
    }
}
