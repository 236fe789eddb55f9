//! The files' timeouts are of silence: the hub's pings keep a connection open for ever, and without them
//! the proxy ends it. Caddy has no such timeout.

use std::time::Duration;

use support::{Events, ReverseProxy, Software, token, within};

use super::{Site, connect};

const PINGS: usize = 6;
/// Of the proxy's timeouts in these tests, twice the interval of pings.
const TIMEOUT: &str = "2s";
const LIMIT: Duration = Duration::from_secs(20);

async fn proxy(software: Software, site: &Site) -> ReverseProxy {
    let short = |name: &'static str| (name, name.replace("90s", TIMEOUT));
    let changes = match software {
        Software::Nginx => vec![short("proxy_read_timeout 90s"), short("proxy_send_timeout 90s")],
        Software::Haproxy => {
            vec![
                short("timeout client 90s"),
                short("timeout server 90s"),
                short("timeout tunnel 90s"),
            ]
        }
        Software::Caddy => vec![],
    };
    let hubs = [&site.hubs[0], &site.hubs[1]];
    ReverseProxy::start_with(software, hubs, &site.functions, &changes).await
}

async fn open_for_long(software: Software) {
    let site = Site::start(&["--ping-interval-s=1"]).await;
    let proxy = proxy(software, &site).await;
    let tunnel = proxy.tunnel().await;
    let authorization = format!("Authorization: Bearer {}\r\n", token("alice", ""));
    let mut events = Events::connect(tunnel.address(), "", &authorization).await;
    let (mut socket, _) = connect(&tunnel, "alice", "").await;
    let seen = within(LIMIT, "pings", socket.pings(PINGS)).await;
    assert_eq!(seen, PINGS, "the socket was closed after {seen} pings");
    site.functions.notify("alice", "after a long silence").await;
    assert_eq!(socket.titles(1).await, ["after a long silence"]);
    let block = loop {
        let block = events.next().await.expect("an open stream");
        if block.event.is_some() {
            break block;
        }
    };
    assert!(block.data.contains("after a long silence"), "{block:?}");
}

async fn closed_when_silent(software: Software) {
    let site = Site::start(&["--ping-interval-s=3600"]).await;
    let proxy = proxy(software, &site).await;
    let (mut socket, _) = connect(&proxy.tunnel().await, "alice", "").await;
    assert_eq!(within(LIMIT, "the proxy closes", socket.pings(1)).await, 0);
}

#[tokio::test]
async fn nginx_keeps_what_is_pinged() {
    open_for_long(Software::Nginx).await;
}

#[tokio::test]
async fn caddy_keeps_what_is_pinged() {
    open_for_long(Software::Caddy).await;
}

#[tokio::test]
async fn haproxy_keeps_what_is_pinged() {
    open_for_long(Software::Haproxy).await;
}

#[tokio::test]
async fn nginx_closes_what_is_silent() {
    closed_when_silent(Software::Nginx).await;
}

#[tokio::test]
async fn haproxy_closes_what_is_silent() {
    closed_when_silent(Software::Haproxy).await;
}
