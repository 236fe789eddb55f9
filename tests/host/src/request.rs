//! A request as the component sees it: URI and headers, set as by Spin.
//!
//! Leaves the path, the query and the body unchanged.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme, Uri};

use crate::router::RouteMatch;

/// Removes headers that concern only the client and the host.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    // Reserved for calls between components, also from outside.
    if name.is_some_and(|name| name.split_once('.').is_some_and(|(_, d)| d == "spin.internal")) {
        headers.remove(HOST);
    }
}

/// Adds scheme and authority; fails if the request lacks an authority.
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

/// Adds `spin-*`. Spin 4.1 answers a request with any non-UTF-8 header itself, with an empty 500;
/// here the component gets the bytes, as the interface has them, so that tests can check its
/// answer.
///
/// They follow headers of the same name from the client, which Spin leaves in place: a component
/// that reads the first value reads the client's.
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
        // An invalid header is omitted silently, as in Spin.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    Ok(())
}
