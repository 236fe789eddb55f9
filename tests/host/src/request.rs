//! Owns what a request looks like to a component: URI and headers, as Spin sets them.
//!
//! Refuses to touch the path, the query and the body.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme, Uri};

use crate::router::RouteMatch;

/// Headers that are between the client and the host.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    // Reserved for calls between components, also from outside.
    if name.is_some_and(|name| name.split_once('.').is_some_and(|(_, d)| d == "spin.internal")) {
        headers.remove(HOST);
    }
}

/// Adds scheme and authority; fails when the request does not tell the latter.
pub(crate) fn absolute_uri(uri: &Uri, headers: &HeaderMap) -> anyhow::Result<Uri> {
    let mut parts = uri.clone().into_parts();
    let from_header = match headers.get(HOST) {
        None => None,
        Some(host) => {
            let host = host.to_str().context("'Host' header is not valid UTF-8")?;
            Some(host.parse::<Authority>().context("'Host' header is not an authority")?)
        }
    };
    parts.authority = match (from_header, parts.authority) {
        (None, None) => bail!("no 'Host' header present in request"),
        (Some(header), Some(uri)) => {
            ensure!(header == uri, "'Host' header does not match the URI's authority");
            Some(header)
        }
        (header, uri) => header.or(uri),
    };
    parts.scheme = Some(Scheme::HTTP);
    Ok(Uri::from_parts(parts)?)
}

/// Adds `spin-*`. Spin 4.1 answers a request by itself, with an empty 500, if any header is not UTF-8;
/// here the component gets the bytes, as the interface has them, so that tests see what it makes of them.
///
/// They come after headers of the same name that the client sent, which Spin
/// leaves in place: a component that reads the first value reads the client's.
pub(crate) fn add_headers(
    headers: &mut HeaderMap,
    uri: &Uri,
    route: &RouteMatch<'_>,
    client: SocketAddr,
) -> anyhow::Result<()> {
    let host = headers.get(HOST).map_or(Ok("localhost"), |host| host.to_str())?;
    let scheme = uri.scheme_str().unwrap_or("http");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let full_url = format!("{scheme}://{host}{path}");
    let mut added = vec![
        ("spin-path-info".to_owned(), route.path_info.clone()),
        ("spin-full-url".to_owned(), full_url),
        ("spin-matched-route".to_owned(), route.matched_route().to_owned()),
        ("spin-base-path".to_owned(), "/".to_owned()),
        ("spin-raw-component-route".to_owned(), route.raw_route().to_owned()),
        ("spin-component-route".to_owned(), route.component_route().to_owned()),
        ("spin-client-addr".to_owned(), client.to_string()),
    ];
    for (name, value) in &route.params {
        let name = name.replace('_', "-").to_ascii_lowercase();
        added.push((format!("spin-path-match-{name}"), value.clone()));
    }
    for (name, value) in added {
        // What cannot be a header is left out without a word, as in Spin.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    Ok(())
}
