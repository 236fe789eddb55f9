//! The functions' relay is called.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Hub, Options, until};

/// Keeps the heads of requests and answers each.
async fn functions() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/admin/relay", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let bytes = connection.read(&mut head).await.unwrap();
            kept.lock().push(String::from_utf8(head[..bytes].to_vec()).unwrap());
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 22\r\nConnection: close\r\n\r\n\
                          {\"sent\":0,\"pending\":0}";
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn is_called_whenever_redis_is_back_with_the_token_of_the_moment() {
    let (url, requests) = functions().await;
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("relay.token");
    std::fs::write(&token_file, "first\n").unwrap();
    let relay = Some((url, token_file.clone()));
    let hub = Hub::start_with(Options { relay, ..Options::default() }).await;
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
