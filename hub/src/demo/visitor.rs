//! Who asks: only a page that this hub served, opened on this machine, gets a token.

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, ORIGIN, VIA};
use shared::{Code, Error};

use crate::config::demo::LOOPBACK_NAMES;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What proxies add.
const OF_PROXIES: [HeaderName; 6] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// `Host` with its port.
///
/// # Errors
/// `forbidden`: another name, which a foreign page may have made point here, or a
/// request that a proxy passed on.
pub(super) fn host(headers: &HeaderMap) -> Result<&str, Error> {
    if OF_PROXIES.iter().any(|name| headers.contains_key(name)) {
        return Err(forbidden("the demo is for this machine: it is not served through a proxy"));
    }
    let host = one(headers, HOST).unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "80"),
    };
    if LOOPBACK_NAMES.contains(&name) && port.parse::<u16>().is_ok() {
        return Ok(host);
    }
    Err(forbidden("the demo is for this machine: open it as http://127.0.0.1:<port>/demo"))
}

/// # Errors
/// `forbidden`: the request does not come from a page of this hub. Browsers name the origin of
/// every page that sends a POST.
pub(super) fn is_own_page(headers: &HeaderMap) -> Result<(), Error> {
    let own = format!("http://{}", host(headers)?);
    let is_own = one(headers, ORIGIN) == Some(&own);
    // Not every browser says this one.
    let is_same_site = !headers.contains_key(SITE) || one(headers, SITE) == Some("same-origin");
    if is_own && is_same_site {
        return Ok(());
    }
    Err(forbidden("tokens of the demo are for the page /demo: send its `Origin`"))
}

/// The value of a header that is there exactly once.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn forbidden(detail: &str) -> Error {
    Error::new(Code::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = list
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        for good in ["127.0.0.1:3001", "localhost:3001", "[::1]:3001", "localhost"] {
            assert_eq!(host(&headers(&[("host", good)])).unwrap(), good);
        }
        for bad in [
            "",
            "evil.example:3001",
            "localhost.evil.example:3001",
            "127.0.0.1.nip.example",
            "127.0.0.1:",
            "127.0.0.1:x",
            "localhost:3001@evil.example",
            "LOCALHOST:1",
        ] {
            assert!(host(&headers(&[("host", bad)])).is_err(), "{bad}");
        }
        assert!(host(&headers(&[])).is_err());
        assert!(host(&headers(&[("host", "localhost"), ("host", "localhost")])).is_err());
        let proxied = [("host", "127.0.0.1:3001"), ("x-forwarded-for", "192.0.2.1")];
        assert!(host(&headers(&proxied)).is_err());
    }

    #[test]
    fn only_the_hubs_own_page_gets_a_token() {
        let own = [("host", "127.0.0.1:3001"), ("origin", "http://127.0.0.1:3001")];
        assert!(is_own_page(&headers(&own)).is_ok());
        let with_site = |site| [&own[..], &[("sec-fetch-site", site)]].concat();
        assert!(is_own_page(&headers(&with_site("same-origin"))).is_ok());
        for site in ["cross-site", "same-site", "none"] {
            assert!(is_own_page(&headers(&with_site(site))).is_err(), "{site}");
        }
        for origin in
            ["http://evil.example", "http://localhost:3001", "http://127.0.0.1:3000", "null"]
        {
            let list = [own[0], ("origin", origin)];
            assert!(is_own_page(&headers(&list)).is_err(), "{origin}");
        }
        assert!(is_own_page(&headers(&own[..1])).is_err());
        assert!(is_own_page(&headers(&[own[0], own[1], own[1]])).is_err());
        // A name that a foreign server made point to this machine.
        let rebound = [("host", "evil.example:3001"), ("origin", "http://evil.example:3001")];
        assert!(is_own_page(&headers(&rebound)).is_err());
    }
}
