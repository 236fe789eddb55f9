//! Which address a connection is counted for: the peer's, or behind a proxy that is trusted the one
//! that the proxy names. From anybody else such a header is a claim, and is not read.

use std::net::IpAddr;
use std::str::FromStr;

use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

/// Hops that are looked at, from the right: a request passes a few proxies of ours, and what
/// stands further left was written by others.
const HOPS_MAX: usize = 16;

/// The header that the proxies write. One, not whichever is there: a proxy replaces or extends the one
/// that it knows and hands on the other as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ForwardedHeader {
    /// What nginx, HAProxy, Envoy, Traefik and the clouds' load balancers write.
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// The proxies in front of the hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) header: ForwardedHeader,
}

impl TrustedProxies {
    /// Networks as `10.0.0.0/8`, or single addresses.
    ///
    /// # Errors
    /// The text that is neither.
    pub fn parse<'a>(
        networks: impl IntoIterator<Item = &'a str>,
        header: ForwardedHeader,
    ) -> Result<Self, String> {
        let network = |text: &'a str| {
            let address = || IpAddr::from_str(text).map(IpNet::from);
            IpNet::from_str(text).or_else(|_| address()).map_err(|_| {
                format!("{text:?} is neither a network such as 10.0.0.0/8 nor an address")
            })
        };
        Ok(Self { networks: networks.into_iter().map(network).collect::<Result<_, _>>()?, header })
    }

    /// Whether what this peer says about others is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// The header whose values [`Self::client`] takes.
    pub(crate) fn header_name(&self) -> HeaderName {
        match self.header {
            ForwardedHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ForwardedHeader::Forwarded => FORWARDED,
        }
    }

    /// The right-most address that is not one of the proxies'. `values` are those of the header, one
    /// for each line of it, in their order. Where a hop cannot be read (`unknown`, a name), the proxy
    /// that wrote it is as much as is known.
    pub(crate) fn client<'a>(
        &self,
        peer: IpAddr,
        values: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        let values = values.rev().filter_map(|value| std::str::from_utf8(value).ok());
        let mut hops = values.flat_map(|value| elements(value).into_iter().rev()).take(HOPS_MAX);
        while self.trusts(client) {
            let Some(hop) = hops.next() else { break };
            let text = match self.header {
                ForwardedHeader::XForwardedFor => Some(hop),
                ForwardedHeader::Forwarded => for_of(hop),
            };
            match text.and_then(address) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// What stands between the commas that are not in quotes.
fn elements(value: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let is_comma = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    value.split(is_comma).map(str::trim).filter(|element| !element.is_empty()).collect()
}

/// `for` of an element of `Forwarded`. Quoted pairs (`\"`) are in no address.
fn for_of(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, in brackets or not, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon is a port's; an address of IPv6 has more.
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    IpAddr::from_str(text).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, values: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"];
        let proxies = TrustedProxies::parse(networks, header).unwrap();
        let values = values.iter().map(|value| value.as_bytes());
        proxies.client(peer.parse().unwrap(), values).to_string()
    }

    #[test]
    fn the_right_most_stranger_counts() {
        let x = |peer, values: &[&str]| client(ForwardedHeader::XForwardedFor, peer, values);
        assert_eq!(x("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(x("::ffff:10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        // What stands left of it is what the client wrote itself.
        assert_eq!(x("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2"]), "203.0.113.7");
        assert_eq!(x("10.0.0.1", &["1.1.1.1", "203.0.113.7", "10.0.0.2, 10.0.0.3"]), "203.0.113.7");
        assert_eq!(x("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(x("fd00::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(x("127.0.0.1", &["203.0.113.7:4711"]), "203.0.113.7");
    }

    #[test]
    fn nobody_else_is_believed() {
        let x = |peer, values: &[&str]| client(ForwardedHeader::XForwardedFor, peer, values);
        assert_eq!(x("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(x("127.0.0.2", &["198.51.100.1"]), "127.0.0.2");
        // Nothing readable, or nothing but proxies: the outermost that is known.
        assert_eq!(x("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(x("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(x("10.0.0.1", &["203.0.113.7, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(x("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        // The header that the proxies do not write is the client's.
        let standard = client(ForwardedHeader::Forwarded, "10.0.0.1", &["203.0.113.7"]);
        assert_eq!(standard, "10.0.0.1");
    }

    #[test]
    fn reads_rfc_7239() {
        let f = |values: &[&str]| client(ForwardedHeader::Forwarded, "10.0.0.1", values);
        assert_eq!(f(&["for=192.0.2.43, for=\"[2001:db8::17]:4711\""]), "2001:db8::17");
        assert_eq!(f(&["by=10.0.0.9;For=192.0.2.60;proto=http"]), "192.0.2.60");
        assert_eq!(f(&["for=1.1.1.1;host=\"a,b\", for=10.0.0.7;host=\"c,d\""]), "1.1.1.1");
        assert_eq!(f(&["for=_hidden"]), "10.0.0.1");
    }

    #[test]
    fn a_wrong_network_is_named() {
        let parse = |text| TrustedProxies::parse([text], ForwardedHeader::default());
        assert!(parse("10.0.0.0/33").unwrap_err().contains("10.0.0.0/33"));
        assert!(parse("proxy").is_err() && parse("").is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_sent_a_trusted_peer_or_an_address_comes_out(
            values in prop::collection::vec("[ -~]{0,60}", 0..4),
        ) {
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let stranger = client(header, "203.0.113.9", &values);
                prop_assert_eq!(stranger, "203.0.113.9");
                client(header, "10.0.0.1", &values).parse::<IpAddr>().unwrap();
            }
        }
    }
}
