//! HTTP requests to origins, bounded in size. Redirects are followed on the same host only.

use std::borrow::Cow;

use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, RequestOptions, Response, Scheme};
use spin_sdk::wasip3::wit_bindgen::StreamResult;
use spin_sdk::wasip3::wit_future;

use crate::http::{header, header_list};

const CHUNK_BYTES: usize = 16 * 1024;
/// Redirects that are followed. RFC 9110 §15.4 leaves the number open, and each costs a round trip.
const REDIRECTS_MAX: usize = 3;

/// A `GET` to send.
#[derive(Clone, Debug)]
pub struct OriginRequest {
    /// Whether to use `https`.
    pub is_tls: bool,
    /// `host[:port]`. Redirects to another authority are rejected.
    pub authority: String,
    /// Path and query.
    pub target: String,
    /// Names and values of the header fields.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Largest body in bytes; a longer one is an error.
    pub bytes_max: usize,
}

/// The response of an origin.
#[derive(Clone, Debug)]
pub struct OriginResponse {
    /// The status code; never that of a redirect.
    pub status: u16,
    headers: Vec<(String, Vec<u8>)>,
    /// The body of a 200; bodies of other statuses are not read.
    pub body: Vec<u8>,
}

impl OriginResponse {
    /// First value of a header (name in lower case); empty if it is missing or not text.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name).unwrap_or_default()
    }

    /// The value of a list header, its field lines joined to one; empty if it is missing.
    pub fn header_list(&self, name: &str) -> Cow<'_, str> {
        header_list(&self.headers, name)
    }
}

/// Sends a request and returns the response, after redirects. The caller sets the deadline:
/// dropping the future cancels the request.
///
/// # Errors
/// A text for logs, without addresses.
pub async fn get(request: &OriginRequest) -> Result<OriginResponse, String> {
    let mut target = request.target.clone();
    for _ in 0..=REDIRECTS_MAX {
        let response = send(request, &target).await?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        target = redirected(request, &target, response.header("location"))?;
    }
    Err("too many redirects".to_owned())
}

async fn send(request: &OriginRequest, target: &str) -> Result<OriginResponse, String> {
    let fields = Fields::from_list(&request.headers).map_err(|error| error.to_string())?;
    let (trailers_writer, trailers) = wit_future::new(|| Ok(None));
    drop(trailers_writer);
    let (outgoing, _sent) = Request::new(fields, None, trailers, None::<RequestOptions>);
    let scheme = if request.is_tls { Scheme::Https } else { Scheme::Http };
    outgoing
        .set_scheme(Some(&scheme))
        .and_then(|()| outgoing.set_authority(Some(&request.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(target)))
        .map_err(|()| "the origin's URL is not valid".to_owned())?;
    let response = client::send(outgoing).await.map_err(|error| text_of(&error))?;
    let status = response.get_status_code();
    let headers = response.get_headers().copy_all();
    let body = match status {
        200 => read(response, request.bytes_max).await?,
        _ => Vec::new(),
    };
    Ok(OriginResponse { status, headers, body })
}

async fn read(response: Response, bytes_max: usize) -> Result<Vec<u8>, String> {
    let (_result, result_reader) = wit_future::new(|| Ok(()));
    let (mut stream, trailers) = Response::consume_body(response, result_reader);
    let mut body: Vec<u8> = Vec::new();
    loop {
        let (result, chunk) = stream.read(Vec::with_capacity(CHUNK_BYTES)).await;
        if body.len() + chunk.len() > bytes_max {
            return Err("the value is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
        if !matches!(result, StreamResult::Complete(_)) {
            break;
        }
    }
    drop(stream);
    match trailers.await {
        Ok(_) => Ok(body),
        Err(error) => Err(text_of(&error)),
    }
}

/// The target on the same host to which `location` leads.
fn redirected(request: &OriginRequest, target: &str, location: &str) -> Result<String, String> {
    let own = if request.is_tls { "https:" } else { "http:" };
    let location = location.split('#').next().unwrap_or_default();
    let is_absolute = location
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(['/', '?']));
    let rest = match location.get(..own.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(own) => {
            location.get(own.len()..).unwrap_or_default()
        }
        _ if is_absolute => return Err("a redirect to another scheme".to_owned()),
        _ => location,
    };
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find(['/', '?']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        if !authority.eq_ignore_ascii_case(&request.authority) {
            return Err("a redirect to another host".to_owned());
        }
        return Ok(if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") });
    }
    let path = target.split('?').next().unwrap_or_default();
    match rest.chars().next() {
        None => Err("a redirect without a location".to_owned()),
        Some('/') => Ok(rest.to_owned()),
        Some('?') => Ok(format!("{path}{rest}")),
        Some(_) => {
            let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
            Ok(format!("{folder}{rest}"))
        }
    }
}

fn text_of(error: &ErrorCode) -> String {
    let text = match error {
        // Contains text of the host, which may name an address.
        ErrorCode::InternalError(_) => "the host's HTTP client failed",
        ErrorCode::HttpRequestDenied => {
            "the origin is not in the component's allowed_outbound_hosts"
        }
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => "the host name is unknown",
        ErrorCode::DnsTimeout => "the host name could not be looked up in time",
        ErrorCode::ConnectionRefused => "the connection was refused",
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            "the origin cannot be reached"
        }
        ErrorCode::DestinationIpProhibited => "the host's settings block the origin's address",
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::HttpResponseTimeout => "the origin did not answer in time",
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            "the connection ended before the whole answer"
        }
        ErrorCode::HttpProtocolError => "the connection ended, or the answer is not valid HTTP",
        ErrorCode::TlsProtocolError => "the TLS handshake failed",
        ErrorCode::TlsCertificateError => "the TLS certificate is not valid",
        error => return format!("{error:?}").chars().take(80).collect(),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_failures_have_plain_words() {
        for (error, text) in [
            (ErrorCode::ConnectionRefused, "the connection was refused"),
            (ErrorCode::DestinationNotFound, "the host name is unknown"),
            (ErrorCode::ConnectionTimeout, "the origin did not answer in time"),
            (ErrorCode::LoopDetected, "ErrorCode::LoopDetected"),
        ] {
            assert_eq!(text_of(&error), text);
        }
        let internal = text_of(&ErrorCode::InternalError(Some("at 10.0.0.1".to_owned())));
        assert!(!internal.contains("10.0.0.1"), "{internal}");
    }

    #[test]
    fn redirects_stay_on_the_host() {
        let request = OriginRequest {
            is_tls: false,
            authority: "origin.test:81".to_owned(),
            target: String::new(),
            headers: Vec::new(),
            bytes_max: 1,
        };
        let to = |location: &str| redirected(&request, "/a/b?c=d", location);
        for (location, target) in [
            ("/x?y", "/x?y"),
            ("http://origin.test:81/x#z", "/x"),
            ("HTTP://Origin.Test:81", "/"),
            ("//origin.test:81?q", "/?q"),
            ("?e", "/a/b?e"),
            ("x", "/a/x"),
            ("x?u=http://y", "/a/x?u=http://y"),
        ] {
            assert_eq!(to(location).as_deref(), Ok(target), "{location}");
        }
        for bad in [
            "",
            "http://other.test/x",
            "https://origin.test:81/x",
            "http://origin.test:81@evil.test/",
            "http://origin.test/x",
            "http://origin.test:81\\@evil.test/",
            "//evil.test/x",
            "file:///etc/passwd",
            "http:x:y",
        ] {
            let target = to(bad);
            // A relative target stays on this host, whatever its text.
            assert!(target.is_err() || target.unwrap().starts_with("/a/"), "{bad}");
        }
    }
}
