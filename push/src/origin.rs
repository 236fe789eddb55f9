//! Scheme, host and port of a service.

use std::fmt;
use std::sync::Arc;

use url::Url;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

/// An origin (RFC 6454). Hosts are lower-case names, IPv4 addresses, or IPv6 addresses in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    /// Shared: every push has a copy.
    host: Arc<str>,
    port: u16,
}

impl Origin {
    pub(crate) fn new(scheme: Scheme, host: &str, port: u16) -> Self {
        Self { scheme, host: host.into(), port }
    }

    /// The origin of a configured URL without path, query and user.
    ///
    /// # Errors
    /// It is another URL, or http without `may_be_plain`.
    pub fn parse(text: &str, may_be_plain: bool) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "invalid URL")?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare {
            return Err("the URL has a path or a query");
        }
        Self::of(&url, may_be_plain)
    }

    pub(crate) fn of(url: &Url, may_be_plain: bool) -> Result<Self, &'static str> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" if may_be_plain => Scheme::Http,
            _ => return Err("the URL is not https"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL contains a user or a password");
        }
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => Ok(Self::new(scheme, host, port)),
            _ => Err("the URL has no host"),
        }
    }

    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host for DNS and TLS: without the brackets of an IPv6 address.
    #[must_use]
    pub fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, port) = match self.scheme {
            Scheme::Http => ("http", 80),
            Scheme::Https => ("https", 443),
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != port {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_port_is_left_out_as_vapid_compares_it() {
        for (text, shown) in [
            ("https://fcm.googleapis.com", "https://fcm.googleapis.com"),
            ("https://EXAMPLE.com:443/", "https://example.com"),
            ("https://example.com:8443", "https://example.com:8443"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(Origin::parse(text, true).unwrap().to_string(), shown);
        }
        for text in ["http://example.com", "https://a@b.c", "https://a.b/x", "https://a.b?x", "x"] {
            assert!(Origin::parse(text, false).is_err(), "{text}");
        }
    }
}
