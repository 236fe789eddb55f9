//! Which endpoints may be called: https on port 443 of an allowed host. No IP address, no user in the
//! URL.

use std::fmt;

use url::{Host, Url};

use crate::limits::ENDPOINT_BYTES_MAX;
use crate::origin::{Origin, Scheme};

/// The push services of the browsers' makers. Chrome, Edge on Android, Opera, Samsung and others use
/// Google's; Firefox Mozilla's; Edge on Windows Microsoft's (`wns2-….notify.windows.com`); Safari
/// Apple's, whose documentation asks servers to allow `*.push.apple.com`.
const MAKERS: [&str; 5] = [
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
    "*.push.apple.com",
];

/// Why an endpoint is refused. The text does not contain the endpoint, which is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the endpoint is longer than {ENDPOINT_BYTES_MAX} bytes")]
    Long,
    #[error("the endpoint is not an https URL")]
    NotHttps,
    #[error("the endpoint's host is not allowed")]
    Host,
    #[error("the endpoint's port is not 443")]
    Port,
    #[error("the endpoint contains a user or a password")]
    User,
}

impl EndpointError {
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            EndpointError::Long => "endpoint_too_long",
            EndpointError::NotHttps => "endpoint_not_https",
            EndpointError::Host => "endpoint_host_not_allowed",
            EndpointError::Port => "endpoint_port_not_allowed",
            EndpointError::User => "endpoint_with_user",
        }
    }
}

/// The hosts that endpoints may have.
#[derive(Clone, Debug)]
pub struct Allowed {
    hosts: Vec<String>,
    loopback: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { hosts: MAKERS.iter().map(|host| (*host).to_owned()).collect(), loopback: false }
    }
}

impl Allowed {
    /// These hosts instead of the makers': names, or `*.name` for all below a name.
    ///
    /// # Errors
    /// One is neither; it is returned.
    pub fn new(hosts: &[&str]) -> Result<Self, String> {
        let parse = |host: &&str| {
            let name = host.strip_prefix("*.").unwrap_or(host);
            let is_name = matches!(Host::parse(name), Ok(Host::Domain(parsed)) if parsed == name);
            let has_dot = name.contains('.') && !name.starts_with('.') && !name.ends_with('.');
            if is_name && has_dot { Ok((*host).to_owned()) } else { Err((*host).to_owned()) }
        };
        Ok(Self { hosts: hosts.iter().map(parse).collect::<Result<_, _>>()?, loopback: false })
    }

    /// For development and tests only: `localhost` and loopback addresses too, on any port, also
    /// without TLS.
    #[must_use]
    pub fn with_loopback(self) -> Self {
        Self { loopback: true, ..self }
    }

    fn contains(&self, host: &str) -> bool {
        self.hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(parent) => host
                .strip_suffix(parent)
                .and_then(|name| name.strip_suffix('.'))
                .is_some_and(|name| !name.is_empty()),
            None => host == allowed,
        })
    }
}

/// A checked endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    origin: Origin,
    is_loopback: bool,
}

impl Endpoint {
    /// # Errors
    /// The endpoint may not be called.
    pub fn parse(text: &str, allowed: &Allowed) -> Result<Self, EndpointError> {
        if text.len() > ENDPOINT_BYTES_MAX {
            return Err(EndpointError::Long);
        }
        let mut url = Url::parse(text).map_err(|_| EndpointError::NotHttps)?;
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::User);
        }
        let is_loopback = allowed.loopback && is_loopback(&url);
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" if is_loopback => Scheme::Http,
            _ => return Err(EndpointError::NotHttps),
        };
        let port = url.port_or_known_default().ok_or(EndpointError::Port)?;
        if !is_loopback {
            match url.host() {
                Some(Host::Domain(host)) if allowed.contains(host) => {}
                _ => return Err(EndpointError::Host),
            }
            if port != 443 {
                return Err(EndpointError::Port);
            }
        }
        let host = url.host_str().ok_or(EndpointError::Host)?;
        let origin = Origin::new(scheme, host, port);
        Ok(Self { url, origin, is_loopback })
    }

    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path and query: WNS has the channel in the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.as_str().get(self.url[..url::Position::BeforePath].len()..).unwrap_or("/")
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.origin.host().ends_with(".notify.windows.com")
    }
}

/// An endpoint is the permission to send, so logs have the origin only.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.origin)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(host)) => host == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(text, &Allowed::default())
    }

    #[test]
    fn the_makers_services_are_allowed() {
        for (text, origin, path) in [
            (
                "https://fcm.googleapis.com/fcm/send/a:b-C_d",
                "https://fcm.googleapis.com",
                "/fcm/send/a:b-C_d",
            ),
            (
                "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
                "https://updates.push.services.mozilla.com",
                "/wpush/v2/gAAA",
            ),
            (
                "https://wns2-par02p.notify.windows.com/w/?token=BQYA%2f%3d",
                "https://wns2-par02p.notify.windows.com",
                "/w/?token=BQYA%2f%3d",
            ),
            ("https://WEB.push.apple.com:443/QJ#x", "https://web.push.apple.com", "/QJ"),
        ] {
            let endpoint = parse(text).unwrap();
            assert_eq!(endpoint.origin().to_string(), origin);
            assert_eq!(endpoint.path(), path);
            assert!(!format!("{endpoint:?}").contains(path), "{endpoint:?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use EndpointError::{Host, Long, NotHttps, Port, User};
        let long = format!("https://fcm.googleapis.com/{}", "x".repeat(2048));
        for (text, error) in [
            ("", NotHttps),
            ("fcm.googleapis.com/x", NotHttps),
            ("http://fcm.googleapis.com/x", NotHttps),
            ("ftp://fcm.googleapis.com/x", NotHttps),
            ("file:///etc/passwd", NotHttps),
            ("https://fcm.googleapis.com:444/x", Port),
            ("https://fcm.googleapis.com:80/x", Port),
            ("https://a@fcm.googleapis.com/x", User),
            ("https://a:b@fcm.googleapis.com/x", User),
            ("https://fcm.googleapis.com@evil.example/x", User),
            ("https://evil.example/x", Host),
            ("https://evilfcm.googleapis.com/x", Host),
            ("https://fcm.googleapis.com.evil.example/x", Host),
            ("https://fcm.googleapis.com./x", Host),
            ("https://x.fcm.googleapis.com/x", Host),
            ("https://notify.windows.com/x", Host),
            ("https://.notify.windows.com/x", Host),
            ("https://xnotify.windows.com/x", Host),
            ("https://evilpush.apple.com/x", Host),
            ("https://127.0.0.1/x", Host),
            ("https://2130706433/x", Host),
            ("https://0x7f.1/x", Host),
            ("https://[::1]/x", Host),
            ("https://[::ffff:8.8.8.8]/x", Host),
            ("https://8.8.8.8/x", Host),
            ("https://localhost/x", Host),
            ("https://evil.example\\@fcm.googleapis.com/x", Host),
            (&long, Long),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn loopback_is_for_development_and_opens_nothing_else() {
        let allowed = Allowed::default().with_loopback();
        let parse = |text| Endpoint::parse(text, &allowed);
        for text in [
            "http://localhost:7502/p/1",
            "https://127.0.0.1:8443/p",
            "http://[::1]:1/",
            "http://127.9.9.9/",
        ] {
            assert!(parse(text).unwrap().is_loopback(), "{text}");
        }
        assert!(!parse("https://fcm.googleapis.com/x").unwrap().is_loopback());
        for text in ["http://10.0.0.1/", "http://fcm.googleapis.com/", "http://localhost.example/"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_names() {
        let allowed = Allowed::new(&["push.example.org", "*.example.net"]).unwrap();
        assert!(Endpoint::parse("https://push.example.org/x", &allowed).is_ok());
        assert!(Endpoint::parse("https://a.b.example.net/x", &allowed).is_ok());
        assert!(Endpoint::parse("https://fcm.googleapis.com/x", &allowed).is_err());
        for host in
            ["*", "*.", "*.com.", "10.0.0.1", "[::1]", "localhost", "a b.c", "Push.example", ""]
        {
            assert_eq!(Allowed::new(&[host]).unwrap_err(), host);
        }
    }

    proptest! {
        #[test]
        fn an_allowed_endpoint_is_https_443_of_an_allowed_host(text in "\\PC{0,60}",
            rest in "[a-zA-Z0-9@:/?#\\\\.%_-]{0,40}") {
            for text in [text, format!("https://{rest}fcm.googleapis.com/x"),
                format!("https://fcm.googleapis.com{rest}"), format!("https://{rest}.push.apple.com/")] {
                let Ok(endpoint) = parse(&text) else { continue };
                let host = endpoint.origin().host();
                prop_assert!(host == "fcm.googleapis.com" || host.ends_with(".push.apple.com"));
                prop_assert_eq!(endpoint.origin().port(), 443);
                prop_assert!(endpoint.path().starts_with('/'));
                let uri: http::Uri = format!("{}{}", endpoint.origin(), endpoint.path()).parse().unwrap();
                prop_assert_eq!(uri.host(), Some(host));
            }
        }
    }
}
