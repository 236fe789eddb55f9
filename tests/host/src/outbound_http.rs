//! `wasi:http` requests that components send.
//!
//! Rejects addresses outside `allowed_outbound_hosts`, TLS (this host has no certificates; a test
//! that needs it runs on Spin) and service chaining.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Scheme, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{Sleep, timeout};
use tower_service::Service;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::allowed_hosts::AllowedHosts;
use crate::stdio::say;

/// Spin's limit on connecting, on the first byte and between bytes, unless the guest sets them.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);

tokio::task_local! {
    /// The client cannot pass this to the connector as an argument.
    static CONNECT_TIMEOUT: Duration;
}

/// One connection pool for all components, as in Spin.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<Connector, WasiBody>,
    /// The address of the application itself, once it listens.
    own_address: Arc<OnceLock<SocketAddr>>,
}

impl HttpClient {
    pub(crate) fn new(own_address: Arc<OnceLock<SocketAddr>>) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(Connector), own_address }
    }

    async fn send(
        self,
        mut request: http::Request<WasiBody>,
        options: RequestOptions,
        allowed_hosts: Arc<AllowedHosts>,
    ) -> Result<http::Response<WasiBody>, Error> {
        if is_to_self(request.uri()) {
            if !allowed_hosts.check_self() {
                return Err(Error::HttpRequestDenied);
            }
            *request.uri_mut() = self.own_uri(request.uri())?;
        } else if !allowed_hosts.check_url(&request.uri().to_string(), "https") {
            return Err(Error::HttpRequestDenied);
        }
        if request.uri().scheme() == Some(&Scheme::HTTPS) {
            say(format_args!("This host does not send https requests: {}", request.uri()));
            return Err(Error::TlsProtocolError);
        }
        // The client adds the host of the URI.
        request.headers_mut().remove(HOST);
        let connect = options.connect_timeout.unwrap_or(TIMEOUT_DEFAULT);
        let first_byte = options.first_byte_timeout.unwrap_or(TIMEOUT_DEFAULT);
        let between_bytes = options.between_bytes_timeout.unwrap_or(TIMEOUT_DEFAULT);
        let answer = CONNECT_TIMEOUT.scope(connect, self.client.request(request));
        let answer = timeout(first_byte, answer)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| client_error(&error))?;
        Ok(answer.map(|body| {
            let body = body.map_err(Error::Hyper).boxed_unsync();
            BetweenBytes { body: Some(body), limit: between_bytes, sleep: None }.boxed_unsync()
        }))
    }

    fn own_uri(&self, uri: &Uri) -> Result<Uri, Error> {
        let address = self.own_address.get().ok_or(Error::HttpRequestUriInvalid)?;
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Authority::try_from(address.to_string()).ok();
        Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)
    }
}

/// A relative request arrives with an empty host.
fn is_to_self(uri: &Uri) -> bool {
    uri.authority().is_none_or(|to| matches!(to.host(), "" | "self.alt"))
}

/// One instance's state for sending requests.
pub(crate) struct OutboundHttp {
    pub(crate) client: HttpClient,
    pub(crate) allowed_hosts: Arc<AllowedHosts>,
}

type IoResult = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for OutboundHttp {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _consumed: IoResult,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, IoResult), Error>> + Send> {
        let allowed_hosts = self.allowed_hosts.clone();
        let sent = self.client.clone().send(request, options.unwrap_or_default(), allowed_hosts);
        Box::new(async {
            let answer = sent.await?;
            Ok((answer, Box::new(async { Ok(()) }) as IoResult))
        })
    }
}

fn client_error(error: &ClientError) -> Error {
    match error.source().and_then(|cause| cause.downcast_ref::<ConnectError>()) {
        Some(ConnectError::Timeout) => Error::ConnectionTimeout,
        Some(ConnectError::Refused) => Error::ConnectionRefused,
        Some(ConnectError::InvalidUri) => Error::HttpRequestUriInvalid,
        Some(ConnectError::Dns) => {
            Error::DnsError { rcode: Some("address not available".into()), info_code: Some(0) }
        }
        None => Error::HttpProtocolError,
    }
}

#[derive(Debug)]
enum ConnectError {
    Timeout,
    Refused,
    Dns,
    InvalidUri,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for ConnectError {}

/// Plain TCP, port 80 by default.
#[derive(Clone)]
struct Connector;

async fn connect(uri: Uri, limit: Duration) -> Result<TokioIo<TcpStream>, ConnectError> {
    let host = uri.host().ok_or(ConnectError::InvalidUri)?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let addresses: Vec<_> =
        tokio::net::lookup_host(&address).await.map_err(|_| ConnectError::Dns)?.collect();
    match timeout(limit, TcpStream::connect(&*addresses)).await {
        Ok(Ok(stream)) => Ok(TokioIo::new(stream)),
        Ok(Err(_)) => Err(ConnectError::Refused),
        Err(_) => Err(ConnectError::Timeout),
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, ConnectError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        Box::pin(connect(uri, CONNECT_TIMEOUT.try_with(|limit| *limit).unwrap_or(TIMEOUT_DEFAULT)))
    }
}

/// Fails when the pause between two frames of an answer exceeds the guest's limit.
struct BetweenBytes {
    /// `None` after a failure, which drops the connection.
    body: Option<WasiBody>,
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Body for BetweenBytes {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Some(body) = this.body.as_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            this.sleep = None;
            return Poll::Ready(frame);
        }
        let limit = this.limit;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.body = None;
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
