//! Each limit, what dropping a permit releases, and how much memory is kept.

use std::time::Duration;

use super::*;
use crate::admission::client_address::ForwardedHeader;

const PROXY: &str = "10.0.0.1";

fn limits() -> Limits {
    let trusted_proxies =
        TrustedProxies::parse(["10.0.0.0/8"], ForwardedHeader::default()).unwrap();
    Limits { trusted_proxies, ..plenty() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Refused>) -> Code {
    outcome.unwrap_err().error.code()
}

#[test]
fn an_address_has_its_limit_and_gets_it_back() {
    let admission = Admission::new(Limits { connections_per_address_max: 2, ..limits() });
    let first = admission.connection(ip("192.0.2.1")).unwrap();
    let _second = admission.connection(ip("::ffff:192.0.2.1")).unwrap();
    assert_eq!(code(admission.connection(ip("192.0.2.1"))), Code::RateLimited);
    assert!(admission.connection(ip("192.0.2.2")).is_ok());
    drop(first);
    assert!(admission.connection(ip("192.0.2.1")).is_ok());
}

#[test]
fn of_ipv6_the_network_counts() {
    let admission = Admission::new(Limits { connections_per_address_max: 1, ..limits() });
    let _one = admission.connection(ip("2001:db8:0:1::1")).unwrap();
    assert_eq!(code(admission.connection(ip("2001:db8:0:1:ffff::2"))), Code::RateLimited);
    assert!(admission.connection(ip("2001:db8:0:2::1")).is_ok());
}

#[test]
fn the_total_is_a_503_and_costs_the_address_nothing() {
    let limits = Limits { connections_max: 1, connections_per_address_max: 1, ..limits() };
    let admission = Admission::new(limits);
    let only = admission.connection(ip("192.0.2.1")).unwrap();
    assert_eq!(code(admission.connection(ip("192.0.2.2"))), Code::NotReady);
    assert_eq!(code(admission.connection(ip(PROXY))), Code::NotReady);
    drop(only);
    assert!(admission.connection(ip("192.0.2.2")).is_ok());
}

#[test]
fn an_address_connects_at_its_rate() {
    let rate = Rate { per_s: 2, burst: 3 };
    let admission = Admission::new(Limits { connects_per_address: rate, ..limits() });
    let start = Instant::now();
    let connect = |from: &str, now| admission.connection_at(ip(from), now);
    for _ in 0..3 {
        assert!(connect("192.0.2.1", start).is_ok());
    }
    assert_eq!(code(connect("192.0.2.1", start)), Code::RateLimited);
    assert!(connect("192.0.2.2", start).is_ok());
    assert!(connect("192.0.2.1", start + Duration::from_millis(500)).is_ok());
    assert_eq!(code(connect("192.0.2.1", start + Duration::from_millis(500))), Code::RateLimited);
}

#[test]
fn handshakes_have_a_rate_over_all() {
    let handshakes = Rate { per_s: 1, burst: 2 };
    let admission = Admission::new(Limits { handshakes, ..limits() });
    let now = Instant::now();
    let shake = |address: &str, now| {
        let mut permit = admission.connection_at(ip(address), now).unwrap();
        admission.handshake_at(&mut permit, ip(address), now)
    };
    assert!(shake("192.0.2.1", now).is_ok() && shake("192.0.2.2", now).is_ok());
    assert_eq!(code(shake("192.0.2.3", now)), Code::NotReady);
    assert!(shake("192.0.2.3", now + Duration::from_secs(1)).is_ok());
}

#[test]
fn behind_a_proxy_the_client_counts() {
    let limits = Limits { connections_per_address_max: 1, ..limits() };
    let admission = Admission::new(limits);
    let shake = |forwarded: &'static str| {
        // The proxy's own connections are not limited.
        let mut permit = admission.connection(ip(PROXY)).unwrap();
        let client = admission.client(ip(PROXY), [forwarded.as_bytes()].into_iter());
        admission.handshake(&mut permit, client).map(|()| permit)
    };
    let first = shake("192.0.2.1").unwrap();
    assert_eq!(code(shake("192.0.2.1")), Code::RateLimited);
    let _other = shake("9.9.9.9, 192.0.2.2").unwrap();
    assert_eq!(code(shake("8.8.8.8, 192.0.2.2")), Code::RateLimited);
    drop(first);
    assert!(shake("192.0.2.1").is_ok());
}

#[test]
fn a_connection_that_a_proxy_uses_again_counts_for_the_latest() {
    let admission = Admission::new(Limits { connections_per_address_max: 1, ..limits() });
    let mut permit = admission.connection(ip(PROXY)).unwrap();
    admission.handshake(&mut permit, ip("192.0.2.1")).unwrap();
    // A second handshake on the same connection does not count twice.
    admission.handshake(&mut permit, ip("192.0.2.1")).unwrap();
    admission.handshake(&mut permit, ip("192.0.2.2")).unwrap();
    assert!(admission.connection(ip("192.0.2.1")).is_ok());
    assert_eq!(code(admission.connection(ip("192.0.2.2"))), Code::RateLimited);
}

#[test]
fn a_user_has_a_limit_of_their_own_with_its_own_code() {
    let limits = Limits { sockets_per_user_max: 2, sockets_max: 3, ..limits() };
    let admission = Admission::new(limits);
    let [alice, bob] = ["alice", "bob"].map(|user| UserId::parse(user).unwrap());
    let sockets = [(); 2].map(|()| admission.socket(&alice).unwrap());
    assert_eq!(code(admission.socket(&alice)), Code::TooManySockets);
    let _bobs = admission.socket(&bob).unwrap();
    assert_eq!(code(admission.socket(&bob)), Code::NotReady);
    // The total is reached as well, but the user's own limit is reported.
    assert_eq!(code(admission.socket(&alice)), Code::TooManySockets);
    drop(sockets);
    assert!(admission.socket(&alice).is_ok() && admission.socket(&bob).is_ok());
}

#[test]
fn a_race_admits_exactly_the_limit_and_leaks_nothing() {
    let limits = Limits {
        connections_per_address_max: 5,
        connections_max: 8,
        sockets_per_user_max: 3,
        ..limits()
    };
    let admission = Admission::new(limits);
    let user = UserId::parse("alice").unwrap();
    let start = std::sync::Barrier::new(8);
    let (connections, sockets) = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| {
            scope.spawn(|| {
                start.wait();
                let let_in = [(); 4].map(|()| {
                    (admission.connection(ip("192.0.2.1")).ok(), admission.socket(&user).ok())
                });
                let held = let_in.iter().fold((0, 0), |held, (connection, socket)| {
                    (
                        held.0 + usize::from(connection.is_some()),
                        held.1 + usize::from(socket.is_some()),
                    )
                });
                start.wait();
                held
            })
        });
        threads.into_iter().fold((0, 0), |sum, thread| {
            let (connections, sockets) = thread.join().unwrap();
            (sum.0 + connections, sum.1 + sockets)
        })
    });
    assert_eq!((connections, sockets), (5, 3));
    let (connections, sockets) = (admission.connections.lock(), admission.sockets.lock());
    assert_eq!((connections.total, sockets.total), (0, 0));
    assert!(connections.of_each.is_empty() && sockets.of_each.is_empty());
}

#[test]
fn permits_of_an_idle_socket_are_small() {
    assert!(size_of::<ConnectionPermit>() + size_of::<SocketPermit>() <= 40);
}
