//! Which IP addresses an endpoint may resolve to. Endpoints come from clients: without this check, a
//! name that resolves to an internal address would let them reach what only the worker can.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is a unicast address of the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        // This network, private, loopback, link-local (with the clouds' metadata), multicast,
        // reserved, broadcast.
        (0 | 10 | 127 | 224..=255, _, _) | (172, 16..=31, _) | (192, 168, _) | (169, 254, _)
            // Carrier-grade NAT, protocol assignments, documentation, 6to4 relays, benchmarks.
            | (100, 64..=127, _)
            | (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113)
            | (192, 88, 99)
            | (198, 18 | 19, _)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [a, b, ..] = segments;
    let [.., c, d] = segments;
    // NAT64: the public internet of IPv4 as a network without it sees it.
    if segments.starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) {
        let [c1, c2] = c.to_be_bytes();
        let [d1, d2] = d.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(c1, c2, d1, d2));
    }
    // Global unicast is 2000::/3. Outside are loopback, IPv4-mapped, unique local, link-local,
    // site-local, multicast.
    let is_global = (0x2000..=0x3fff).contains(&a);
    let is_special = match (a, b) {
        // Protocol assignments (2001::/23: Teredo, benchmarks, ORCHID) and documentation.
        (0x2001, 0..=0x01ff | 0x0db8) => true,
        // 6to4, which holds any IPv4 address, and documentation (3fff::/20).
        (0x2002, _) | (0x3fff, 0..=0x0fff) => true,
        _ => false,
    };
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in [
            "8.8.8.8",
            "142.250.1.95",
            "17.249.0.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2a00:1450:4001::5f",
            "2620:149:a44::1",
            "2001:4860:4860::8888",
            "2001:200::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_of_networks_hosts_and_protocols_are_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "239.1.2.3",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:10.0.0.1",
            "::8.8.8.8",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:2::1",
            "2002:7f00:1::",
            "3fff::1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
