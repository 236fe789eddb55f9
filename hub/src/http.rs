//! The table of routes for everything that is answered and over, and how every answer looks:
//! problem+json for errors, a request id, a length.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{Request, StatusCode};
use shared::{Code, Error};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::admission::Admission;
use crate::config::Config;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::origin;
use crate::queued::Queued;
use crate::reason::Reason;
use crate::refusals::Refusals;
use crate::registry::Registry;
use crate::tickets::Tickets;
use crate::wheel::Wheel;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What requests need.
pub struct App {
    pub config: Arc<Config>,
    pub registry: Arc<Registry>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub refusals: Arc<Refusals>,
    pub admission: Arc<Admission>,
    pub tickets: Arc<Tickets>,
    pub wheel: Arc<Wheel>,
    /// What waits for all sockets.
    pub queued: Arc<Queued>,
    /// Connections; the end of the hub waits for them.
    pub sessions: TaskTracker,
    /// Numbers sockets.
    pub sockets: AtomicU64,
}

impl App {
    pub fn next_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }
}

/// Names a request in the log and in its answer.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(u64);

impl RequestId {
    pub fn random() -> Self {
        Self(fastrand::u64(..))
    }

    /// That of a request on its way through a router.
    pub fn of<B>(request: &Request<B>) -> Self {
        request.extensions().get().copied().unwrap_or_else(Self::random)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Every path there is. Those that open sockets come here only when the request is not one for it.
pub fn router(app: Arc<App>) -> Router {
    let health = health_router(app.health.clone());
    Router::new()
        .route("/ws/notifications", any(socket))
        .route("/sse/notifications", any(events))
        .fallback(unknown)
        .with_state(app)
        .merge(health)
}

/// What a load balancer and a supervisor ask.
pub fn health_router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(alive).fallback(only_get))
        .route("/readyz", get(ready).fallback(only_get))
        .with_state(health)
}

/// Answers one request; never fails.
pub async fn answer(router: Router, id: RequestId, mut request: Request<Body>) -> Response {
    request.extensions_mut().insert(id);
    // The path only: a query may hold a token.
    let span = tracing::info_span!(
        "request",
        %id,
        method = %request.method(),
        path = request.uri().path()
    );
    let answering = router.oneshot(request).instrument(span);
    let mut response = answering.await.unwrap_or_else(|never| match never {});
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn alive() -> Response {
    json(StatusCode::OK, "application/json", r#"{"status":"ok"}"#.to_owned()).map(Body::from)
}

async fn ready(State(health): State<Arc<Health>>) -> Result<Response, Refusal> {
    health.ready()?;
    Ok(alive().await)
}

async fn only_get() -> Refusal {
    Error::method_not_allowed("GET, HEAD").into()
}

const EVENTS_METHODS: &str = "GET, OPTIONS";

/// Pages that read the stream with `fetch`, to send a token in a header, ask first.
async fn events(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    if request.method() != http::Method::OPTIONS {
        return opens_nothing(&app, &request, EVENTS_METHODS).into_response();
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    origin::preflight(EVENTS_METHODS, answer.headers_mut());
    origin::share(&app.config.allowed_origins, request.headers(), answer.headers_mut());
    answer
}

async fn socket(State(app): State<Arc<App>>, request: Request<Body>) -> Refusal {
    opens_nothing(&app, &request, "GET")
}

/// A request that would open something is a GET without a body.
fn opens_nothing(app: &App, request: &Request<Body>, methods: &'static str) -> Refusal {
    let refused = Reason::Method.because(match *request.method() {
        http::Method::GET => Error::new(Code::PayloadTooLarge, "this path takes no body"),
        _ => Error::method_not_allowed(methods),
    });
    app.refusals.refused(&refused, request.headers().get(ORIGIN), &RequestId::of(request));
    refused.error.into()
}

async fn unknown() -> Refusal {
    Error::not_found("this path").into()
}

/// An error on its way out: the one place where it is logged.
pub struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        problem(&self.0).map(Body::from)
    }
}

/// The answer to a request that failed, as problem+json (RFC 9457); here errors are logged.
pub fn problem(error: &Error) -> http::Response<String> {
    // 503 is a state, told where it begins and ends; here it would repeat with every request.
    if error.code() == Code::Internal {
        tracing::error!(%error, "request failed");
    } else {
        tracing::debug!(%error, "request refused");
    }
    let status = StatusCode::from_u16(error.code().status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, "application/problem+json", error.problem_json());
    let headers = response.headers_mut();
    if let Some(allow) = error.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(seconds) = error.code().retry_after_s() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A body of known length: `Content-Length` is added.
fn json(status: StatusCode, media_type: &'static str, body: String) -> http::Response<String> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
