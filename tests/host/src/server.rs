//! The listening socket and the steps of a request: route, headers, component, answer.
//!
//! As in Spin: no TCP_NODELAY, no limits on bodies, no cancellation when a client disconnects. There
//! are two exceptions: the number of concurrent requests is limited (`turns`), and at its end the host
//! answers the requests that it has.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::request;
use crate::router::{RouteMatch, Router, WELL_KNOWN_PREFIX};
use crate::stdio::say;
use crate::turns::{Turn, Turns};
use crate::worker::{Workers, is_process_ending};

/// Time for requests in flight to end by themselves after the signal. Nearly all do. With
/// [`ANSWER_MAX`] less than the five seconds that `make up` waits.
const FINISH_MAX: Duration = Duration::from_secs(3);
/// Time to send the answers to the others.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// From serving to the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// No new connections; idle ones are closed, the others after their request.
    Finishing,
    /// Requests still in flight are answered by the host.
    Answering,
}

/// An application that is ready to serve.
pub(crate) struct Server {
    router: Router,
    components: HashMap<String, ProxyHandler<Workers>>,
    turns: Turns,
    phase: watch::Sender<Phase>,
}

impl Server {
    pub(crate) fn new(
        router: Router,
        components: HashMap<String, ProxyHandler<Workers>>,
        requests_max: usize,
    ) -> Self {
        let turns = Turns::new(requests_max);
        Self { router, components, turns, phase: watch::Sender::new(Phase::Serving) }
    }

    /// Serves until `stop`, and then until every request is answered, at most for [`FINISH_MAX`] and
    /// [`ANSWER_MAX`].
    pub(crate) async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let mut stop = pin!(stop);
        // Each connection has a sender: without any, the receiver ends.
        let (open, mut closed) = mpsc::channel::<Infallible>(1);
        loop {
            let (stream, client) = tokio::select! {
                accepted = listener.accept() => accepted?,
                () = &mut stop => break,
            };
            tokio::spawn(self.clone().connection(stream, client, open.clone()));
        }
        drop((listener, open));
        self.phase.send_replace(Phase::Finishing);
        if timeout(FINISH_MAX, closed.recv()).await.is_err() {
            self.phase.send_replace(Phase::Answering);
            // Clients that do not read their answers are left.
            let _ = timeout(ANSWER_MAX, closed.recv()).await;
        }
        Ok(())
    }

    async fn until(&self, phase: Phase) {
        // It cannot end before `self`.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        _open: mpsc::Sender<Infallible>,
    ) {
        let server = self.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let server = server.clone();
            async move {
                tokio::select! {
                    biased;
                    answer = server.handle(request, client) => answer,
                    () = server.until(Phase::Answering) => Ok(refused(ENDING)),
                }
            }
        });
        let builder = Builder::new(TokioExecutor::new());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // Its errors are disconnected clients; Spin does not show them either.
        tokio::select! {
            _ = &mut connection => return,
            () = self.until(Phase::Finishing) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
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
        let Some(turn) = self.turns.take().await else { return Ok(refused(BUSY)) };
        match self.call(request, &route, client).await {
            // The component works until its answer has been read.
            Ok(response) => Ok(response.map(|body| holding(turn, body))),
            Err(error) => {
                // Else its instance was dropped with the runtime.
                if !is_process_ending() {
                    say(format_args!("Error processing request: {error:#}"));
                }
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

/// An answer of the host in place of a component's.
fn refused(problem: &'static str) -> Response<WasiBody> {
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, problem);
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

/// In the format of the components' errors, as the next one. This request has not reached a component.
const BUSY: &str = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"too many requests at a time: this one was not begun\",\"code\":\"not_ready\"}";

/// This one has: it may have been carried out.
const ENDING: &str = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"the server is ending: the outcome is unknown\",\"code\":\"not_ready\"}";

/// An answer of the host itself.
fn answer(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(body.map_err(Error::from).boxed_unsync());
    *response.status_mut() = status;
    response
}
