//! The hub counts connections for the address of the client, as the proxy saw it.

#![cfg(target_os = "linux")]

use std::net::Ipv4Addr;

use support::{ReverseProxy, Socket, Software, TlsTunnel, token};

use super::{Site, behind_each};

behind_each!(clients_are_limited_one_by_one_and_cannot_choose_their_address);

async fn open(tunnel: &TlsTunnel, forged: Option<&str>) -> Result<Socket, u16> {
    let mut request = support::socket::handshake("/ws/notifications");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {}", token("alice", "")).parse().unwrap());
    if let Some(address) = forged {
        headers.insert("x-forwarded-for", address.parse().unwrap());
        headers.insert("forwarded", format!("for={address}").parse().unwrap());
        headers.insert("x-real-ip", address.parse().unwrap());
    }
    Socket::handshake(tunnel.address(), request).await
}

async fn clients_are_limited_one_by_one_and_cannot_choose_their_address(software: Software) {
    let site = Site::start(&["--connections-per-address-max=2"]).await;
    // One hub alone, since each counts for itself.
    let hub = &site.hubs[0];
    let proxy = ReverseProxy::start(software, [hub, hub], &site.functions).await;
    let first = proxy.tunnel_from(Ipv4Addr::new(127, 0, 0, 7)).await;
    let second = proxy.tunnel_from(Ipv4Addr::new(127, 0, 0, 8)).await;
    let _open = [open(&first, None).await.unwrap(), open(&first, Some("192.0.2.1")).await.unwrap()];
    for forged in [None, Some("192.0.2.2"), Some("127.0.0.1"), Some("192.0.2.3, 127.0.0.8")] {
        assert_eq!(open(&first, forged).await.err(), Some(429), "{forged:?}");
    }
    let _others = [open(&second, None).await.unwrap(), open(&second, None).await.unwrap()];
    assert_eq!(open(&second, Some("127.0.0.7")).await.err(), Some(429));
}
