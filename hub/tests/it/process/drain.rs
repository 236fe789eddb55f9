//! A draining hub closes its sockets a few at a time.

use std::time::{Duration, Instant};

use crate::support::Hub;

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_closed_over_the_spread_with_a_reconnect_time() {
    const CLIENTS: usize = 300;
    let mut hub = Hub::start().await;
    let connecting = (0..CLIENTS).map(|client| {
        let hub = &hub;
        async move { hub.connect_v1(&format!("u{client}")).await.0 }
    });
    let clients = futures_util::future::join_all(connecting).await;
    let start = Instant::now();
    let leaving = clients.into_iter().map(|mut client| async move {
        let reconnect: serde_json::Value = serde_json::from_str(&client.text().await).unwrap();
        assert_eq!(reconnect["type"], "reconnect");
        let at = start.elapsed();
        assert_eq!(client.close_code().await, 1012);
        (reconnect["afterMs"].as_u64().unwrap(), at)
    });
    let leaving = futures_util::future::join_all(leaving);
    let (_, left) = tokio::join!(hub.stop(), leaving);
    // At most 1,000 a second.
    let last = left.iter().map(|(_, at)| *at).max().unwrap();
    assert!(last >= Duration::from_millis(CLIENTS as u64 - 50), "{last:?}");
    let mut waits: Vec<u64> = left.iter().map(|(after_ms, _)| *after_ms).collect();
    waits.sort_unstable();
    assert!(waits[CLIENTS / 10] < 1_500 && waits[CLIENTS * 9 / 10] > 3_500, "{waits:?}");
    assert!(waits.iter().all(|after_ms| *after_ms <= 5_000));
}
