//! `POST /ws/ticket`: a ticket for whom the token in `Authorization` is about.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use http::{Method, StatusCode};
use serde_json::json;
use shared::limits::TICKET_TTL_MS;
use shared::{Code, Error};
use tokio::time::Instant;

use crate::auth::{bearer, now_s};
use crate::config::Config;
use crate::http::Refusal;
use crate::metrics::Metrics;
use crate::origin;
use crate::tickets::Tickets;

const METHODS: &str = "POST, OPTIONS";

/// What the route needs.
pub struct TicketDesk {
    pub config: Arc<Config>,
    pub tickets: Arc<Tickets>,
    pub metrics: Arc<Metrics>,
}

impl TicketDesk {
    /// The route, to be merged with the others.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new().route("/ws/ticket", any(answer)).with_state(self)
    }

    /// Checks as a handshake does: 503, 401, 403; then 429.
    async fn issue(&self, headers: &HeaderMap) -> Result<Response, Error> {
        // Without a key the answer is the same with and without a token.
        let token = match bearer(headers)? {
            None if !self.config.keys.is_empty() => {
                return Err(Error::new(Code::Unauthorized, "there is no token"));
            }
            token => token.unwrap_or_default(),
        };
        let claims = self.config.keys.verify(token, now_s())?;
        origin::check(&self.config.allowed_origins, headers)?;
        let ticket = self.tickets.issue(&claims, Instant::now()).await?;
        self.metrics.ticket_issued();
        let body = json!({"ticket": ticket, "expiresIn": TICKET_TTL_MS / 1000}).to_string();
        let head = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        Ok((StatusCode::CREATED, head, body).into_response())
    }
}

async fn answer(
    State(desk): State<Arc<TicketDesk>>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let outcome = match method {
        Method::POST => desk.issue(&headers).await,
        Method::OPTIONS => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            origin::preflight(METHODS, response.headers_mut());
            Ok(response)
        }
        _ => Err(Error::method_not_allowed(METHODS)),
    };
    let mut response = outcome.unwrap_or_else(|error| {
        desk.metrics.refused(error.code());
        Refusal::from(error).into_response()
    });
    origin::share(&desk.config.allowed_origins, &headers, response.headers_mut());
    response
}
