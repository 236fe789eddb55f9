//! Addresses that keys may come from: `https`, or `http` on this machine for tests.

use std::fmt;

/// A URL of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderUrl {
    /// Whether it is `https`.
    pub is_tls: bool,
    /// `host[:port]`.
    pub authority: String,
    /// Path and query; begins with a slash.
    pub target: String,
}

impl ProviderUrl {
    /// # Errors
    /// What is wrong with it, to follow its name; without the text itself.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (is_tls, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err("must begin with https://");
        };
        let is_printed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
        if !rest.bytes().all(is_printed) {
            return Err("contains a character that must be escaped in a URL, or a fragment");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err("contains a user name, which is not supported");
        }
        let Some(host) = host(authority) else {
            return Err("has no host, or an invalid port");
        };
        if !is_tls && !is_loopback(host) {
            return Err("must begin with https:// unless the host is this machine");
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { is_tls, authority: authority.to_owned(), target: format!("{slash}{target}") })
    }
}

impl fmt::Display for ProviderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

/// The host of `host[:port]`; `None` if it is empty or the port is not one.
fn host(authority: &str) -> Option<&str> {
    let end_of_v6 = authority.find(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(end_of_v6..)?.rfind(':') {
        Some(at) => (authority.get(..end_of_v6 + at)?, authority.get(end_of_v6 + at + 1..)?),
        None => (authority, "443"),
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (is_port && !host.is_empty()).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    let v4 = host.parse::<std::net::Ipv4Addr>();
    host == "localhost" || host == "[::1]" || v4.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (text, same) in [
            ("https://id.test", "https://id.test/"),
            ("https://id.test:8443/a?b=c", "https://id.test:8443/a?b=c"),
            ("https://id.test?b", "https://id.test/?b"),
            ("http://localhost:1/k", "http://localhost:1/k"),
            ("http://127.0.0.5/k", "http://127.0.0.5/k"),
            ("http://[::1]:80/k", "http://[::1]:80/k"),
        ] {
            assert_eq!(ProviderUrl::parse(text).unwrap().to_string(), same);
        }
        for (text, problem) in [
            ("id.test", "must begin with https://"),
            ("http://id.test/k", "unless the host is this machine"),
            ("http://127.0.0.1.id.test/k", "unless the host is this machine"),
            ("http://localhost@id.test/k", "a user name"),
            ("https:///k", "has no host"),
            ("https://id.test:x/k", "an invalid port"),
            ("https://id.test:70000/k", "an invalid port"),
            ("https://id.test/k#f", "a fragment"),
            ("https://id.test/a b", "must be escaped"),
            ("https://id.test/k\r\nx: y", "must be escaped"),
        ] {
            let error = ProviderUrl::parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
