//! The hub's calls of the functions' relay.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::support::{Hub, Options, until};

/// Stores the heads of requests and sends the answers in order; the last one repeats.
pub async fn functions(answers: &'static [(&str, &str)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let bytes = connection.read(&mut head).await.unwrap();
            let (status, body) = answers[kept.lock().len().min(answers.len() - 1)];
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(answer.as_bytes()).await.unwrap();
            kept.lock().push(String::from_utf8(head[..bytes].to_vec()).unwrap());
        }
    });
    (url, requests)
}

pub const NOTHING: (&str, &str) = ("200 OK", r#"{"sent":0,"pending":0}"#);

/// The setting of a hub that calls these functions, and the directory with its token.
pub fn relay_to(url: String) -> (Option<(String, PathBuf)>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("relay.token");
    std::fs::write(&token_file, "first\n").unwrap();
    (Some((url, token_file)), directory)
}

async fn hub(url: String) -> (Hub, TempDir) {
    let (relay, directory) = relay_to(url);
    (Hub::start_with(Options { relay, ..Options::default() }).await, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn is_called_with_the_current_token_whenever_redis_is_back() {
    let (url, requests) = functions(&[NOTHING]).await;
    let (hub, directory) = hub(url).await;
    let token_file = directory.path().join("relay.token");
    until("the first call", async || requests.lock().len() == 1).await;
    let first = requests.lock()[0].to_lowercase();
    assert!(first.starts_with("post /admin/relay http/1.1\r\n"), "{first}");
    assert!(first.contains("authorization: bearer first\r\n"), "{first}");
    assert!(first.contains("content-length: 0\r\n"), "{first}");
    std::fs::write(&token_file, "second").unwrap();
    hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    until("the second call", async || requests.lock().len() == 2).await;
    assert!(requests.lock()[1].to_lowercase().contains("authorization: bearer second\r\n"));
}

/// Several times `hub::limits::REDIS_BACKOFF_MAX`; the usual pause is at least 24 s.
const SOON_AFTER: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn is_called_again_soon_until_it_succeeds_and_nothing_is_pending() {
    const AWAY: (&str, &str) = ("503 Service Unavailable", r#"{"code":"redis_unavailable"}"#);
    let answers = &[AWAY, AWAY, ("200 OK", r#"{"sent":4,"pending":3}"#), NOTHING];
    let (url, requests) = functions(answers).await;
    let start = Instant::now();
    let (_hub, _directory) = hub(url).await;
    until("everything is sent", async || requests.lock().len() >= answers.len()).await;
    assert!(start.elapsed() < SOON_AFTER);
    // One more call, because the functions may detect the failover late; then none.
    until("it is called once more", async || requests.lock().len() > answers.len()).await;
    sleep(2 * hub::limits::RELAY_FINAL_AFTER).await;
    assert_eq!(requests.lock().len(), answers.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_not_tried_again_at_once() {
    let (url, requests) = functions(&[("403 Forbidden", r#"{"code":"forbidden"}"#)]).await;
    let (_hub, _directory) = hub(url).await;
    until("the first call", async || requests.lock().len() == 1).await;
    sleep(2 * hub::limits::RELAY_FINAL_AFTER).await;
    assert_eq!(requests.lock().len(), 1);
}

/// A reader may load a feed, which publishes nothing, after the hub has read it. The relay then finds
/// nothing to send.
#[tokio::test(flavor = "multi_thread")]
async fn entries_that_a_reader_loaded_meanwhile_arrive_after_the_relay_call() {
    let (url, requests) = functions(&[NOTHING]).await;
    let (hub, _directory) = hub(url).await;
    hub.redis.push("alice", "e1", 1).await;
    let (mut client, welcome) = hub.connect_v1("alice").await;
    assert!(welcome.contains(r#""seq":1"#), "{welcome}");
    hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    let before = requests.lock().len();
    until("all feeds were compared", async || requests.lock().len() > before).await;
    let two = hub.redis.push("alice", "e1", 2).await;
    assert_eq!(client.notification().await, two);
}

/// One user's unreadable feed must not delay the pending entries of others.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_feed_does_not_prevent_relay_calls() {
    let (url, requests) = functions(&[NOTHING]).await;
    let (hub, _directory) = hub(url).await;
    hub.redis.push("alice", "e1", 1).await;
    let (_alice, _) = hub.connect_v1("alice").await;
    until("the relay calls are done", async || requests.lock().len() >= 2).await;
    // The head is ahead of the hub's position, and the list has the wrong type.
    hub.redis.command(&["DEL", "notifications:alice"]).await;
    hub.redis.command(&["SET", "notifications:alice", "x"]).await;
    hub.redis.command(&["HSET", "bw:feed:{notifications:alice}", "head", "2"]).await;
    for _ in 0..2 {
        let before = requests.lock().len();
        hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        until("the relay is called", async || requests.lock().len() > before).await;
    }
}
