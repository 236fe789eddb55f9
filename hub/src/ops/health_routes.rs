//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use shared::Error;

use crate::http::problem::{Refusal, json};
use crate::metrics::health::Health;

/// The routes for load balancers and supervisors.
pub(crate) fn health_router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(alive).fallback(only_get))
        .route("/readyz", get(ready).fallback(only_get))
        .with_state(health)
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
