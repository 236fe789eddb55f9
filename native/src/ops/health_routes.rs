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

/// Whether a process should get work.
pub trait Ready: Send + Sync + 'static {
    /// # Errors
    /// Why it should not.
    fn ready(&self) -> Result<(), Error>;
}

/// The routes for load balancers and supervisors.
pub fn health_router<R: Ready>(health: Arc<R>) -> Router {
    Router::new()
        .route("/healthz", get(alive).fallback(only_get))
        .route("/readyz", get(ready::<R>).fallback(only_get))
        .with_state(health)
}

async fn alive() -> Response {
    json(StatusCode::OK, "application/json", r#"{"status":"ok"}"#.to_owned()).map(Body::from)
}

async fn ready<R: Ready>(State(health): State<Arc<R>>) -> Result<Response, Refusal> {
    health.ready()?;
    Ok(alive().await)
}

async fn only_get() -> Refusal {
    Error::method_not_allowed("GET, HEAD").into()
}
