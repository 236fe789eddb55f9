//! The address that a connection counts against: the peer's address, or the client address reported
//! by a trusted proxy. The header is ignored from any other peer, since clients can forge it.

use std::net::IpAddr;
use std::str::FromStr;

use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

/// Hops considered, from the right: a request passes few proxies of the operator, and entries
/// further left were written by others.
const HOPS_MAX: usize = 16;

/// The header that the proxies write. Only this one is read: a proxy replaces or extends the header
/// that it knows, and passes on the other as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ForwardedHeader {
    /// Written by nginx, HAProxy, Envoy, Traefik and the load balancers of cloud providers.
    #[default]
    XForwardedFor,
    /// The standard header (RFC 7239).
    Forwarded,
}

/// The proxies in front of the hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) header: ForwardedHeader,
}

impl TrustedProxies {
    /// Parses networks (`10.0.0.0/8`) and single addresses.
    ///
    /// # Errors
    /// Names the text that is neither.
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

    /// Whether this peer's forwarded header is trusted.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// The header that [`Self::client`] expects the values of.
    pub(crate) fn header_name(&self) -> HeaderName {
        match self.header {
            ForwardedHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ForwardedHeader::Forwarded => FORWARDED,
        }
    }

    /// The right-most address that is not a proxy's. `values` are the header's lines in order. If a
    /// hop is not an address (`unknown`, a name), the result is the proxy that wrote it.
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

/// The parts of `value` between commas outside quotes.
fn elements(value: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let is_comma = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    value.split(is_comma).map(str::trim).filter(|element| !element.is_empty()).collect()
}

/// The `for` parameter of an element of `Forwarded`. Quoted pairs (`\"`) do not occur in addresses.
fn for_of(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// Parses an address, with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let text = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon precedes a port; an IPv6 address has several.
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
    fn the_right_most_untrusted_address_counts() {
        let x = |peer, values: &[&str]| client(ForwardedHeader::XForwardedFor, peer, values);
        assert_eq!(x("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(x("::ffff:10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        // The client itself wrote the entries further left.
        assert_eq!(x("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2"]), "203.0.113.7");
        assert_eq!(x("10.0.0.1", &["1.1.1.1", "203.0.113.7", "10.0.0.2, 10.0.0.3"]), "203.0.113.7");
        assert_eq!(x("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(x("fd00::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(x("127.0.0.1", &["203.0.113.7:4711"]), "203.0.113.7");
    }

    #[test]
    fn untrusted_peers_headers_are_ignored() {
        let x = |peer, values: &[&str]| client(ForwardedHeader::XForwardedFor, peer, values);
        assert_eq!(x("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(x("127.0.0.2", &["198.51.100.1"]), "127.0.0.2");
        // Without a readable address that is not a proxy's, the outermost known one counts.
        assert_eq!(x("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(x("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(x("10.0.0.1", &["203.0.113.7, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(x("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        // A header that the proxies do not write comes from the client.
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
        fn any_header_yields_a_trusted_peer_or_an_address(
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
