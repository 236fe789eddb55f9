//! The routes of all requests that do not become a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::ORIGIN;
use http::{Request, StatusCode};
use native::http::RequestId;
use native::http::problem::Refusal;
use native::ops::health_router;
use shared::{Code, Error};

use crate::assets;
use crate::http::refusal_reason::Reason;
use crate::session::allowed_origins;
use crate::session::state::App;

/// Every path of the hub. A request for a socket path reaches this router only if it opens no
/// socket.
pub(crate) fn router(app: Arc<App>) -> Router {
    let health = health_router(app.health.clone());
    Router::new()
        .route("/ws/notifications", any(socket))
        .route("/sse/notifications", any(events))
        .fallback(unknown)
        .with_state(app)
        .merge(health)
        .merge(assets::router())
}

const EVENTS_METHODS: &str = "GET, OPTIONS";

/// A page that reads the stream with `fetch`, to send its token in a header, sends a preflight
/// first.
async fn events(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let mut answer = match *request.method() {
        http::Method::OPTIONS => {
            let mut answer = StatusCode::NO_CONTENT.into_response();
            allowed_origins::preflight(EVENTS_METHODS, answer.headers_mut());
            answer
        }
        _ => opens_nothing(&app, &request, EVENTS_METHODS).into_response(),
    };
    allowed_origins::share(&app.config.allowed_origins, request.headers(), answer.headers_mut());
    answer
}

async fn socket(State(app): State<Arc<App>>, request: Request<Body>) -> Refusal {
    opens_nothing(&app, &request, "GET")
}

/// The rejection of a request to a socket path that is not a GET without a body.
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
