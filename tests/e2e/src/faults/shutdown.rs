//! SIGTERM ends what runs.

use std::time::Duration;

use support::{Functions, Hub, RedisServer};

const LIMIT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn sigterm_ends_the_functions_host() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let status = functions.terminate(LIMIT).await;
    assert!(status.success(), "{status}");
    // What was answered is on the disk.
    functions.restart().await;
    assert_eq!(functions.titles("alice").await, ["one"]);
}

#[tokio::test]
async fn sigterm_ends_the_hub_and_sends_its_clients_elsewhere() {
    let redis = RedisServer::start().await;
    let hub = Hub::start(&redis).await;
    let mut v1 = hub.connect("alice").await;
    let mut raw = hub.connect_raw("bob").await;
    let (status, told, codes) = tokio::join!(
        hub.terminate(LIMIT),
        async { (v1.json().await, v1.close_code().await) },
        raw.close_code()
    );
    assert!(status.success(), "{status}");
    let (reconnect, v1_code) = told;
    assert_eq!(reconnect["type"], "reconnect", "{reconnect}");
    assert!(reconnect["afterMs"].is_u64(), "{reconnect}");
    assert_eq!((v1_code, codes), (1012, 1012));
}
