//! The stream: what it begins with, who is served, and how it ends.

use std::time::Duration;

use hub::config::Pace;
use hub::limits::CONSOLE_VIEWERS_MAX;
use shared::limits::TOKEN_LEEWAY_S;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::console::viewer::{Viewer, console, get, ops, ops_until};
use crate::console::{hub, options};
use crate::support::{Hub, Options, SOON, now_s, until};

fn times(viewer: &Viewer) -> Vec<u64> {
    viewer.seen.iter().map(|snapshot| snapshot["at"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_with_the_hub_and_with_what_was_before_the_viewer_came() {
    let hub =
        Hub::start_with(Options { console_functions: Some("http://f:3000"), ..options() }).await;
    let mut first = Viewer::connect(&hub).await;
    // More than one event of history.
    first.until("some snapshots", |viewer| viewer.seen.len() >= 120).await;
    let mut second = Viewer::connect(&hub).await;
    second.until("history", |viewer| viewer.seen.len() >= 120).await;
    second.until("live", |viewer| viewer.seen.len() >= 130).await;
    let (old, new) = (times(&first), times(&second));
    assert!(old.iter().all(|at| new.contains(at)), "{old:?}\n{new:?}");
    // In order, and none twice where history and live meet; 20 ms lie between two.
    assert!(new.is_sorted_by(|a, b| a < b), "{new:?}");
    let about = &second.hub;
    assert_eq!(about["hub"].as_str().map(str::len), Some(16));
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["functions"], "http://f:3000");
    assert_eq!(
        (about["keptSeconds"].as_u64(), &about["latencyBoundsUs"][0]),
        (Some(900), &50.into())
    );
    assert!(about["limits"]["sockets"].as_u64() > Some(0), "{about}");
    let buckets = about["latencyBoundsUs"].as_array().unwrap().len() + 1;
    assert_eq!(second.last("/latency").unwrap().as_array().unwrap().len(), buckets);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_viewers_than_its_maximum_until_one_leaves() {
    let hub = hub().await;
    let mut viewers = Vec::new();
    for _ in 0..CONSOLE_VIEWERS_MAX {
        viewers.push(Viewer::connect(&hub).await);
    }
    let bearer = format!("Authorization: Bearer {}\r\n", ops());
    let refused = get(&hub, "/console/live", &bearer).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "not_ready"));
    assert!(refused.header("retry-after").is_some());
    // Other questions are answered.
    assert_eq!(get(&hub, "/console/fleet", &bearer).await.status, 200);
    viewers.pop();
    until("a place is free", async || {
        Viewer::open(console(&hub), &ops()).await.head.starts_with("HTTP/1.0 200")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_does_not_read_is_closed_and_the_others_go_on() {
    let pace = Pace {
        console_interval: Duration::from_millis(5),
        console_write_deadline: Duration::from_millis(300),
        ..Pace::default()
    };
    let hub = Hub::start_with(Options { pace, ..options() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = socket.connect(console(&hub)).await.unwrap();
    let request = format!("GET /console/live HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n", ops());
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut other = Viewer::connect(&hub).await;
    // A few hundred kB, much more than the kernel holds for the slow one.
    other.until("the others go on", |viewer| viewer.seen.len() >= 700).await;
    // It would never end, if it were served again now that it reads.
    let mut bytes = Vec::new();
    let end = timeout(SOON, slow.read_to_end(&mut bytes)).await;
    assert!(end.is_ok(), "still served after {} bytes", bytes.len());
    assert!(bytes.len() < 400_000, "{}", bytes.len());
    let seen = other.seen.len();
    other.until("the others go on", |viewer| viewer.seen.len() > seen + 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_the_token_does() {
    let hub = hub().await;
    let exp = now_s() - TOKEN_LEEWAY_S as f64 + 2.0;
    let mut viewer = Viewer::with_token(&hub, &ops_until(exp)).await;
    assert_eq!(viewer.end().await, "token_expired");
    assert!(now_s() >= exp + TOKEN_LEEWAY_S as f64 - 0.1);
    assert!(!viewer.seen.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_the_hub() {
    let mut hub = hub().await;
    let mut viewer = Viewer::connect(&hub).await;
    viewer.until("it is open", |viewer| !viewer.seen.is_empty()).await;
    let (reason, ()) = tokio::join!(viewer.end(), hub.stop());
    assert_eq!(reason, "shutdown");
}
