//! A hub behind a proxy shuts down while notifications are created: its clients get its close code, every
//! new handshake succeeds at once at the other hub, and each client receives everything, once and in order.

use std::time::Duration;

use serde_json::Value;
use support::{Events, Software, TlsTunnel, token, within};
use tokio::task::JoinSet;

use super::{Site, behind_each, connect};

behind_each!(a_hub_that_shuts_down_loses_no_message_and_refuses_nobody);

const CLIENTS: usize = 6;
const NOTIFICATIONS: u64 = 60;
/// Before and after which the hub is told to shut down.
const HALF: u64 = NOTIFICATIONS / 2;
const LIMIT: Duration = Duration::from_secs(60);

/// Receives all notifications of a user over WebSockets; returns how many of these were closed for a
/// restart.
async fn follow(tunnel: &TlsTunnel, user: &str) -> usize {
    let (mut seq, mut epoch, mut restarts) = (0, String::new(), 0);
    while seq < NOTIFICATIONS {
        let query = if epoch.is_empty() {
            String::new()
        } else {
            format!("?since=seq:{seq}&epoch={epoch}")
        };
        let (mut socket, welcome) = connect(tunnel, user, &query).await;
        if epoch.is_empty() {
            seq = welcome["seq"].as_u64().unwrap();
            epoch = welcome["epoch"].as_str().unwrap().to_owned();
        }
        while seq < NOTIFICATIONS {
            let frame = socket.json().await;
            match frame["type"].as_str() {
                Some("notification") => {
                    assert_eq!(frame["notification"]["seq"], seq + 1, "{user}");
                    seq += 1;
                }
                Some("reconnect") => {
                    assert_eq!(socket.close_code().await, 1012);
                    restarts += 1;
                    break;
                }
                _ => panic!("{user}: {frame}"),
            }
        }
    }
    restarts
}

/// The same over event streams; returns how many of these ended.
async fn follow_events(tunnel: &TlsTunnel, user: &str) -> usize {
    let (mut seq, mut id, mut ends) = (0, None::<String>, 0);
    while seq < NOTIFICATIONS {
        let mut headers = format!("Authorization: Bearer {}\r\n", token(user, ""));
        if let Some(id) = &id {
            headers += &format!("Last-Event-ID: {id}\r\n");
        }
        let mut events = Events::connect(tunnel.address(), "", &headers).await;
        assert!(events.head.starts_with("HTTP/1.1 200 "), "{}", events.head);
        while seq < NOTIFICATIONS {
            let Some(block) = events.next().await else {
                ends += 1;
                break;
            };
            if block.event.as_deref() == Some("notification") {
                let notification: Value = serde_json::from_str(&block.data).unwrap();
                assert_eq!(notification["seq"], seq + 1, "{user}");
                seq += 1;
            }
            // The first one alone is the position of a stream without a cursor.
            if let (None, Some(first)) = (&id, &block.id) {
                seq = first.rsplit(':').next().unwrap().parse().unwrap();
            }
            id = block.id.or(id);
        }
    }
    ends
}

async fn a_hub_that_shuts_down_loses_no_message_and_refuses_nobody(software: Software) {
    let site = Site::start(&["--drain-spread-ms=1000"]).await;
    let proxy = site.behind(software).await;
    let tunnel = std::sync::Arc::new(proxy.tunnel().await);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (tunnel, user) = (tunnel.clone(), format!("u{client}"));
        // Half of them over event streams. The first entry exists before the client, so that its
        // first position does.
        site.functions.notify(&user, "1").await;
        clients.spawn(async move {
            if client % 2 == 0 {
                follow(&tunnel, &user).await
            } else {
                follow_events(&tunnel, &user).await
            }
        });
    }
    let create = async |numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            for client in 0..CLIENTS {
                site.functions.notify(&format!("u{client}"), &number.to_string()).await;
            }
        }
    };
    create(2..=HALF).await;
    let (status, ()) =
        tokio::join!(site.hubs[0].terminate(LIMIT), create(HALF + 1..=NOTIFICATIONS));
    assert!(status.success(), "{status}");
    let restarts: Vec<usize> =
        within(LIMIT, "all clients have everything", clients.join_all()).await;
    assert!(restarts.iter().sum::<usize>() > 0, "no client was at the hub that shut down");
}
