//! Serves `/metrics`: on an address of its own, on the clients' address with a token, or not at
//! all. By default it is not served, because the numbers of users and failures are internal.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, VARY};
use http::{Method, Request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use shared::{Code, Error};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Format, MetricsAccess, Ready, health_router};
use crate::http::problem::{Refusal, answer};
use crate::http::{RequestId, bearer};
use crate::limits::{ACCEPT_PAUSE, SCRAPE_DEADLINE, SCRAPES_MAX};

/// What a program's `/metrics` shows, and to whom.
pub trait Endpoint: Sized + Send + Sync + 'static {
    /// What `/readyz` asks.
    type Health: Ready;

    /// Where the page is served, and with which token.
    fn access(&self) -> &MetricsAccess;

    /// The page.
    ///
    /// # Errors
    /// None: a `String` accepts everything.
    fn render(&self, format: Format) -> Result<String, fmt::Error>;

    /// For `/healthz` and `/readyz` on an address of its own.
    fn health(&self) -> Arc<Self::Health>;

    /// The route to merge with those of clients.
    fn router(self: Arc<Self>) -> Router {
        Router::new().route("/metrics", any(beside_clients::<Self>)).with_state(self)
    }

    /// The routes of an address that is not the clients'.
    fn routes(self: Arc<Self>) -> Router {
        let health = health_router(self.health());
        Router::new().route("/metrics", any(on_its_own::<Self>)).with_state(self).merge(health)
    }

    /// Serves scrapes and health checks on the separate address, where they are answered even if
    /// clients have taken every connection. Ends only by being dropped.
    fn serve(self: Arc<Self>, listener: TcpListener) -> impl Future<Output = ()> + Send {
        serve(self.routes().fallback(unknown), listener)
    }
}

async fn serve(router: Router, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(SCRAPES_MAX));
    // Dropped with this task, which closes its connections.
    let mut scrapes = JoinSet::new();
    loop {
        while scrapes.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((connection, _)) => {
                let router = router.clone();
                scrapes.spawn(async move {
                    if timeout(SCRAPE_DEADLINE, scrape(connection, router)).await.is_err() {
                        tracing::debug!("scrape timed out");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept scrapes");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn page(endpoint: &impl Endpoint, method: &Method, headers: &HeaderMap) -> Result<Response, Error> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Error::method_not_allowed("GET, HEAD"));
    }
    if let Some(token) = &endpoint.access().token {
        let given = bearer(headers)?.unwrap_or_default();
        if !is_equal(token.as_bytes(), given.as_bytes()) {
            return Err(Error::new(Code::Unauthorized, "`/metrics` requires its bearer token"));
        }
    }
    let format = Format::accepted(headers);
    let page = endpoint
        .render(format)
        .map_err(|_| Error::new(Code::Internal, "the metrics cannot be written"))?;
    // The format depends on what the scraper accepts.
    let head =
        [(CONTENT_TYPE, format.content_type()), (CACHE_CONTROL, "no-store"), (VARY, "accept")];
    Ok((head, page).into_response())
}

async fn beside_clients<E: Endpoint>(
    State(endpoint): State<Arc<E>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let access = endpoint.access();
    if access.listen.is_some() || access.token.is_none() {
        let detail = "metrics are not served here: the operator sets `metrics_listen` or \
                      `metrics_token_file`";
        return Err(Error::new(Code::NotFound, detail).into());
    }
    Ok(page(&*endpoint, &method, &headers)?)
}

async fn on_its_own<E: Endpoint>(
    State(endpoint): State<Arc<E>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Ok(page(&*endpoint, &method, &headers)?)
}

async fn unknown() -> Refusal {
    Error::not_found("this path").into()
}

/// Answers one request; scrapers come every few seconds and can reconnect.
async fn scrape(connection: TcpStream, router: Router) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = answer(router.clone(), RequestId::random(), request.map(Body::new));
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(SCRAPE_DEADLINE).keep_alive(false);
    if let Err(error) = server.serve_connection(TokioIo::new(connection), service).await {
        tracing::debug!(%error, "scrape failed");
    }
}

/// Compares in a time that does not reveal how many bytes match.
fn is_equal(token: &[u8], given: &[u8]) -> bool {
    let difference = token.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
    token.len() == given.len() && std::hint::black_box(difference) == 0
}
