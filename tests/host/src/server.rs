//! The listening socket and the steps of a request: route, headers, component, answer.
//!
//! As in Spin: no TCP_NODELAY, no limits on bodies, no cancellation when a client disconnects, no
//! graceful end. The exception is `turns`: the number of concurrent requests is limited.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::request;
use crate::router::{RouteMatch, Router, WELL_KNOWN_PREFIX};
use crate::stdio::say;
use crate::turns::{Turn, Turns};
use crate::worker::Workers;

/// An application that is ready to serve.
pub(crate) struct Server {
    router: Router,
    components: HashMap<String, ProxyHandler<Workers>>,
    turns: Turns,
}

impl Server {
    pub(crate) fn new(
        router: Router,
        components: HashMap<String, ProxyHandler<Workers>>,
        requests_max: usize,
    ) -> Self {
        Self { router, components, turns: Turns::new(requests_max) }
    }

    /// Ends only with an error of the listening socket.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) -> anyhow::Result<()> {
        loop {
            let (stream, client) = listener.accept().await?;
            tokio::spawn(self.clone().connection(stream, client));
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr) {
        let service = service_fn(move |request: Request<Incoming>| {
            let server = self.clone();
            async move { server.handle(request, client).await }
        });
        // Its errors are disconnected clients; Spin does not show them either.
        let _ = Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn handle(
        &self,
        mut request: Request<Incoming>,
        client: SocketAddr,
    ) -> anyhow::Result<Response<WasiBody>> {
        request::strip(request.headers_mut());
        let path = request.uri().path().to_owned();
        if let Some(well_known) = path.strip_prefix(WELL_KNOWN_PREFIX) {
            return Ok(match well_known {
                "health" => answer(StatusCode::OK, "OK"),
                _ => answer(StatusCode::NOT_FOUND, ""),
            });
        }
        let Some(route) = self.router.route(&path) else {
            return Ok(answer(StatusCode::NOT_FOUND, ""));
        };
        // An error closes the connection without an answer, as in Spin.
        *request.uri_mut() = request::absolute_uri(request.uri(), request.headers())?;
        let Some(turn) = self.turns.take().await else { return Ok(busy()) };
        match self.call(request, &route, client).await {
            // The component works until its answer has been read.
            Ok(response) => Ok(response.map(|body| holding(turn, body))),
            Err(error) => {
                say(format_args!("Error processing request: {error:#}"));
                Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, ""))
            }
        }
    }

    async fn call(
        &self,
        request: Request<Incoming>,
        route: &RouteMatch<'_>,
        client: SocketAddr,
    ) -> anyhow::Result<Response<WasiBody>> {
        let Some(component) = self.components.get(route.component()) else {
            anyhow::bail!("unknown component {}", route.component());
        };
        let (mut parts, body) = request.into_parts();
        request::add_headers(&mut parts.headers, &parts.uri, route, client)?;
        let body = body.map_err(Error::from).boxed_unsync();
        Ok(component.handle((), Request::from_parts(parts, body)).await?)
    }
}

/// The same body, which holds `turn` until its end.
fn holding(turn: Turn, body: WasiBody) -> WasiBody {
    let passed_on = body.map_frame(move |frame| {
        let _ = &turn;
        frame
    });
    passed_on.boxed_unsync()
}

/// Too many concurrent requests: this one has not reached a component.
fn busy() -> Response<WasiBody> {
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, BUSY);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    // Every answer of the components has one.
    let refused = REFUSED.fetch_add(1, Ordering::Relaxed);
    headers.insert("x-request-id", HeaderValue::from(refused));
    response
}

/// Requests refused so far.
static REFUSED: AtomicU64 = AtomicU64::new(1);

/// In the format of the components' errors.
const BUSY: &str = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"too many requests at a time: this one was not begun\",\"code\":\"not_ready\"}";

/// An answer of the host itself.
fn answer(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(body.map_err(Error::from).boxed_unsync());
    *response.status_mut() = status;
    response
}
