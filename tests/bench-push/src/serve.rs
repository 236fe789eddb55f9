//! A push service for everybody who is measured: FCM's HTTP v1, OAuth2 tokens and Web Push, over
//! TLS with HTTP/2 and HTTP/1.1, on one thread. It answers after a delay, checks little and counts.
//!
//! Lines of standard input are orders: `delay MS`, and `counts`, which begins a new count.

mod counts;

use std::convert::Infallible;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::cli::ServeArgs;
use crate::setup::Setup;
use counts::{Counts, Kind};

/// Requests at once on a connection, as FCM allows.
const STREAMS: u32 = 100;
/// Characters of a token of Google's.
const ACCESS_TOKEN_CHARS: usize = 150;

struct Service {
    delay_ms: AtomicU64,
    counts: Counts,
}

/// Serves until standard input ends.
pub fn run(args: &ServeArgs) -> Result<()> {
    let setup = Setup::read(&args.setup)?;
    let tls = acceptor(&setup)?;
    let service = Arc::new(Service { delay_ms: AtomicU64::new(0), counts: Counts::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", args.port)))?;
    say("listening")?;
    let serving = service.clone();
    std::thread::spawn(move || runtime.block_on(accept(listener, tls, serving)));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("delay", ms)) => {
                service.delay_ms.store(ms.parse().context("delay MS")?, Relaxed);
                say("{}")?;
            }
            _ => say(&service.counts.take().to_string())?,
        }
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

fn acceptor(setup: &Setup) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::from(std::fs::read(&setup.certificate_der)?);
    let key = PrivatePkcs8KeyDer::from(std::fs::read(&setup.certificate_key)?);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, service: Arc<Service>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, tls.clone(), service.clone()));
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, service: Arc<Service>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let _open = service.counts.opened();
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let answering = service.clone();
    let answer = service_fn(move |request| respond(request, answering.clone()));
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
        let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
    } else {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }
}

async fn respond(
    request: Request<Incoming>,
    service: Arc<Service>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return Ok(status(400));
    };
    let path = head.uri.path();
    let response = if path.ends_with("/messages:send") {
        fcm(&head.headers, &body, &service.counts)
    } else if let Some(rest) = path.strip_prefix("/push/") {
        web_push(&head.headers, rest, &body, &service.counts)
    } else if path.ends_with("/token") {
        service.counts.count(Kind::OAuth, None, body.len());
        json_response(&json!({
            "access_token": "x".repeat(ACCESS_TOKEN_CHARS), "expires_in": 3599,
            "token_type": "Bearer",
        }))
    } else {
        service.counts.count(Kind::Refused, None, body.len());
        status(404)
    };
    let delay_ms = service.delay_ms.load(Relaxed);
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    Ok(response)
}

fn fcm(headers: &HeaderMap, body: &[u8], counts: &Counts) -> Response<Full<Bytes>> {
    if !starts_with(headers, AUTHORIZATION, "Bearer xxx") {
        counts.count(Kind::Refused, None, body.len());
        return status(401);
    }
    const MEMBER: &[u8] = br#""token":""#;
    let at = body.windows(MEMBER.len()).position(|window| window == MEMBER);
    // The worker lets FCM check a campaign's first push before it sends it.
    let is_check = body.starts_with(br#"{"validate_only":true"#);
    let at = at.filter(|_| !is_check);
    let number = at.and_then(|at| number(body.get(at + MEMBER.len()..)?));
    counts.count(Kind::Fcm, number, body.len());
    json_response(&json!({"name": "projects/p/messages/0:1500415314455276%31bd1c9631bd1c96"}))
}

fn web_push(
    headers: &HeaderMap,
    rest: &str,
    body: &[u8],
    counts: &Counts,
) -> Response<Full<Bytes>> {
    let is_valid = headers.contains_key("ttl")
        && starts_with(headers, AUTHORIZATION, "vapid t=")
        && starts_with(headers, CONTENT_ENCODING, "aes128gcm");
    if !is_valid {
        counts.count(Kind::Refused, None, body.len());
        return status(400);
    }
    counts.count(Kind::WebPush, number(rest.as_bytes()), body.len());
    let mut response = status(201);
    let location = HeaderValue::from_static("https://localhost/m/gAAAAABlDk1x");
    response.headers_mut().insert(LOCATION, location);
    response
}

fn starts_with(headers: &HeaderMap, name: http::HeaderName, text: &str) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes().starts_with(text.as_bytes()))
}

/// The number at the start of an address.
fn number(text: &[u8]) -> Option<usize> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

fn status(code: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = code.try_into().unwrap_or_default();
    response
}

fn json_response(value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_its_number() {
        assert_eq!(number(b"120:xxx"), Some(120));
        assert_eq!(number(b"7/xxx"), Some(7));
        assert_eq!(number(b"x"), None);
        assert_eq!(number(b""), None);
    }
}
