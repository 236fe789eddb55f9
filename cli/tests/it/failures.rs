use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Jwt, jwt, token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::world::{Done, World, bare, finish};

#[tokio::test]
async fn every_failure_has_its_exit_code_and_says_what_to_do() {
    let world = World::start().await;
    world.run(&["notify", "alice", ""]).await.expect(1).saying(&["title", "invalid_field"]);
    world.run(&["feed", "a b"]).await.expect(1).saying(&["invalid_id"]);
    world.run(&["feed"]).await.expect(2).saying(&["<USER>"]);
    world.run(&["read", "alice"]).await.expect(2);
    world
        .run(&["notify", "alice", "t", "--data", "{"])
        .await
        .expect(2)
        .saying(&["--data is not JSON"]);
    let gone = ["feed", "alice", "--before", "01a2272d-2600-7c3a-9d1e-6f2a41c08b57"];
    world.run(&gone).await.expect(5).saying(&["cursor_gone"]);

    let with = |text: &str| {
        let mut command = world.command(&["queues"]);
        command.env_remove("BELLWIRE_TOKEN_FILE").env("BELLWIRE_TOKEN", text);
        command
    };
    let done = world.finish(with(&token("alice", "feed:read"))).await.expect(4);
    done.saying(&["forbidden", "queues:read", "BELLWIRE_TOKEN"]);
    let expired = Jwt::of("alice").expires_in(-3600).sign(jwt::KEY);
    let done = world.finish(with(&expired)).await.expect(4);
    let done = done.saying(&["token_expired", "bellwire token"]);
    assert!(!done.all().contains(&expired));
    let done = world.finish(with("nonsense")).await.expect(4);
    done.saying(&["unauthorized", "BELLWIRE_TOKEN", "not a JWT"]);
    let mut without = world.command(&["queues"]);
    without.env_remove("BELLWIRE_TOKEN_FILE");
    world.finish(without).await.expect(4).saying(&["no token", "BELLWIRE_TOKEN_FILE", "up.env"]);

    let begun = Instant::now();
    let mut away = world.command(&["queues"]);
    away.env("BELLWIRE_URL", "http://127.0.0.1:1");
    world.finish(away).await.expect(3).saying(&["cannot connect", "127.0.0.1:1", "make up"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "it says so at once");
    for url in ["127.0.0.1:3000", "localhost:3000"] {
        let mut command = world.command(&["queues"]);
        command.env("BELLWIRE_URL", url);
        world.finish(command).await.expect(2).saying(&["BELLWIRE_URL", "add http:// or https://"]);
    }
    let mut away = world.command(&["watch", "admin"]);
    away.env("BELLWIRE_HUB_URL", "http://127.0.0.1:1");
    world.finish(away).await.expect(3).saying(&["cannot connect"]);
}

#[tokio::test]
async fn with_json_errors_are_json_too() {
    let world = World::start().await;
    let done =
        world.run(&["notify", "alice", "t", "--kind", &"k".repeat(65), "--json"]).await.expect(1);
    let error: Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(
        (&error["error"]["field"], &error["error"]["exitCode"]),
        (&json!("kind"), &json!(1))
    );
    assert!(done.stdout.is_empty());
}

/// A server that gives these answers, one after the other; returns its URL and what it was asked.
async fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
            while !(String::from_utf8_lossy(&head).ends_with('}')
                || head.starts_with(b"GET") && head.ends_with(b"\r\n\r\n"))
            {
                let count = stream.read(&mut buffer).await.unwrap();
                head.extend_from_slice(&buffer[..count]);
            }
            log.lock().unwrap().push(String::from_utf8(head).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

fn answer(status: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{more}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn later() -> String {
    let body = r#"{"code":"redis_unavailable","detail":"Redis is away","status":503}"#;
    answer("503 Later", "retry-after: 1\r\n", body)
}

async fn run_at(url: &str, arguments: &[&str]) -> Done {
    let mut command = bare(arguments);
    command.env("BELLWIRE_URL", url).env("BELLWIRE_TOKEN", "a.b.c");
    finish(command).await
}

#[tokio::test]
async fn a_create_is_repeated_with_its_key_when_the_server_asks_for_it() {
    let made = r#"{"id":"1","seq":1,"userId":"alice","delivery":"sent"}"#;
    // A connection that breaks, a 503 and a 500: each time nobody knows whether it was created.
    let broken = String::new();
    let answers = vec![broken, later(), answer("201 Created", "", made)];
    let (url, asked) = server(answers).await;
    let begun = Instant::now();
    let done = run_at(&url, &["notify", "alice", "Hi"]).await.expect(0);
    assert_eq!(done.stdout, "sent: #1 1 to alice\n");
    assert!(begun.elapsed() >= Duration::from_secs(1), "Retry-After is honoured");
    let asked = asked.lock().unwrap();
    let key = |head: &String| {
        let line = head.lines().find(|line| line.starts_with("idempotency-key: cli-"));
        line.unwrap_or_else(|| panic!("{head}")).to_owned()
    };
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|head| key(head) == key(&asked[0])));
}

#[tokio::test]
async fn a_create_of_which_nobody_knows_can_be_repeated() {
    let (url, _) = server(vec![later(), later(), later(), later()]).await;
    let done = run_at(&url, &["notify", "alice", "Hi"]).await.expect(3);
    done.saying(&["it may have been created", "--idempotency-key cli-"]);
    let done = run_at("http://127.0.0.1:1", &["notify", "alice", "Hi"]).await.expect(3);
    assert!(!done.stderr.contains("may have been created"), "{done:?}");
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    let (url, asked) = server(vec![later(), later()]).await;
    let done = run_at(&url, &["queue", "receive", "q"]).await.expect(3);
    done.saying(&["Redis is away (503 redis_unavailable)", "bellwire doctor"]);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn repeats_end() {
    let (url, asked) = server(vec![later(), later(), later(), later(), later()]).await;
    run_at(&url, &["presence"]).await.expect(3).saying(&["Redis is away"]);
    assert_eq!(asked.lock().unwrap().len(), 4);
    let (url, _) = server(vec![answer("404 Not Found", "", "<html>")]).await;
    run_at(&url, &["presence"]).await.expect(5).saying(&["something else than Bellwire"]);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    // It accepts, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let begun = Instant::now();
    let done = run_at(&url, &["queue", "receive", "q", "--timeout", "1"]).await.expect(3);
    done.saying(&["within 1 s"]);
    run_at(&url, &["presence", "--timeout", "1"]).await.expect(3);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let done = run_at("http://127.0.0.1:9", &["doctor", "--hub-url", &url, "--timeout", "1"]).await;
    assert_eq!(done.code, 1, "{done:?}");
}

#[tokio::test]
async fn a_token_is_made_for_development() {
    let world = World::start().await;
    let make = async |scope: &str| {
        let mut command = bare(&["token", "--sub", "carol", "--scope", scope]);
        command.env("BELLWIRE_KEY_FILE", world.file("key"));
        finish(command).await
    };
    let made = make("presence:read").await.expect(0).stdout;
    assert_eq!(made.lines().count(), 1);
    let mut command = world.command(&["presence", "--token-file", "-"]);
    command.env_remove("BELLWIRE_TOKEN_FILE").stdin(std::process::Stdio::piped());
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, made.as_bytes()).unwrap();
    drop(stdin);
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 online\n");
    make("presence:raed").await.expect(2).saying(&["presence:raed", "presence:read"]);
    let none = finish(bare(&["token", "--sub", "carol"])).await.expect(2);
    none.saying(&["no key", "BELLWIRE_KEY_FILE"]);
}

#[tokio::test]
async fn a_profile_says_where_everything_is() {
    let world = World::start().await;
    let file = world.write(
        "config.toml",
        &format!(
            "default = \"here\"\n[profiles.here]\nurl = \"{}\"\nhub_url = \"http://{}\"\n\
             token_file = \"token\"\nkey_file = \"key\"\n",
            world.functions.url(),
            world.hub.address,
        ),
    );
    let run =
        async |arguments: &[&str]| finish(bare(&[&["--config", &*file], arguments].concat())).await;
    run(&["notify", "alice", "Hi"]).await.expect(0);
    run(&["watch", "alice", "--for", "1"]).await.expect(0).saying(&["connected; 1 unread"]);
    run(&["--profile", "there", "presence"]).await.expect(2).saying(&["\"there\"", "known: here"]);
}

#[tokio::test]
async fn completions_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let script = finish(bare(&["completions", shell])).await.expect(0).stdout;
        assert!(script.contains("redrive"), "{shell}");
    }
    let page = finish(bare(&["man"])).await.expect(0).stdout;
    assert!(page.contains(".TH bellwire 1") && page.contains("EXIT STATUS"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    finish(bare(&["man", "--dir", &path])).await.expect(0);
    let pages = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(pages > 15, "{pages}");
    let help = finish(bare(&["--help"])).await.expect(0).stdout;
    assert!(help.contains("Exit codes:") && help.contains("130"), "{help}");
}

/// Health checks of containers run it, with nothing configured.
#[tokio::test]
async fn a_probe_tells_success_from_a_refusal_and_from_silence() {
    let world = World::start().await;
    let probe = async |url: String| {
        let mut command = bare(&["probe", &url, "--timeout", "2"]);
        command.env("HOME", world.dir.path());
        finish(command).await
    };
    let (hub, functions) = (world.hub.address, world.functions.url());
    for url in [format!("http://{hub}/readyz"), format!("{functions}/healthz")] {
        assert_eq!(probe(url).await.expect(0).stdout, "ok\n");
    }
    let keyless = support::Hub::with(&world.redis.url()).key("").start().await;
    let refused = probe(format!("http://{}/readyz", keyless.address)).await;
    refused.expect(3).saying(&["auth_not_configured"]);
    let away = probe("http://127.0.0.1:1/readyz".to_owned()).await;
    away.expect(3).saying(&["cannot connect"]);
    probe("no url".to_owned()).await.expect(2).saying(&["add http:// or https://"]);
}
