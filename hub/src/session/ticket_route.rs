//! `POST /ws/ticket`: issues a ticket for the user of the token in `Authorization`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, ORIGIN};
use http::{Method, Request, StatusCode};
use native::http::RequestId;
use native::http::bearer;
use native::http::problem::Refusal;
use serde_json::json;
use shared::limits::TICKET_TTL_MS;
use shared::{Code, Error};
use tokio::time::Instant;

use crate::admission::refusal_log::RefusalLog;
use crate::config::Config;
use crate::http::refusal_reason::{Reason, Refused};
use crate::metrics::Metrics;
use crate::session::allowed_origins;
use crate::session::tickets::Tickets;
use crate::session::token::now_s;

const METHODS: &str = "POST, OPTIONS";

/// The state that the route needs.
pub struct TicketDesk {
    pub config: Arc<Config>,
    pub tickets: Arc<Tickets>,
    pub metrics: Arc<Metrics>,
    pub refusals: Arc<RefusalLog>,
}

impl TicketDesk {
    /// The route, to be merged with the others.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new().route("/ws/ticket", any(answer)).with_state(self)
    }

    /// The same checks as in a handshake: 503, 401, 403; then 429.
    async fn issue(&self, headers: &HeaderMap) -> Result<Response, Refused> {
        // Without a key, the answer is the same with and without a token.
        let no_token = |error| Reason::NoToken.because(error);
        let token = match bearer(headers).map_err(no_token)? {
            None if !self.config.keys.is_empty() => {
                return Err(no_token(Error::new(Code::Unauthorized, "the token is missing")));
            }
            token => token.unwrap_or_default(),
        };
        self.config.keys.prepare(token).await;
        let claims = self.config.keys.verify(token, now_s()).map_err(Reason::of_token)?;
        allowed_origins::check(&self.config.allowed_origins, headers)
            .map_err(|error| Reason::Origin.because(error))?;
        let ticket = self.tickets.issue(&claims, Instant::now()).await;
        let ticket = ticket.map_err(Reason::of_ticket)?;
        self.metrics.ticket_issued();
        let body = json!({"ticket": ticket, "expiresIn": TICKET_TTL_MS / 1000}).to_string();
        let head = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        Ok((StatusCode::CREATED, head, body).into_response())
    }
}

async fn answer(State(desk): State<Arc<TicketDesk>>, request: Request<Body>) -> Response {
    let headers = request.headers();
    let outcome = match *request.method() {
        Method::POST => desk.issue(headers).await,
        Method::OPTIONS => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            allowed_origins::preflight(METHODS, response.headers_mut());
            Ok(response)
        }
        _ => Err(Reason::Method.because(Error::method_not_allowed(METHODS))),
    };
    let mut response = outcome.unwrap_or_else(|refused| {
        desk.refusals.refused(&refused, headers.get(ORIGIN), &RequestId::of(&request));
        Refusal::from(refused.error).into_response()
    });
    allowed_origins::share(&desk.config.allowed_origins, headers, response.headers_mut());
    response
}
