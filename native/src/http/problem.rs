//! The common form of HTTP answers: problem+json for errors, a request id, a length.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Request, StatusCode};
use shared::{Code, Error};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::http::RequestId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers one request through `router`; infallible.
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

/// An error as a response, logged when it is created.
#[derive(Debug)]
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

/// The problem+json (RFC 9457) answer for `error`. The only place that logs failed requests.
pub fn problem(error: &Error) -> http::Response<String> {
    // A 503 is a state of the process, logged when it starts and ends; here it would repeat per
    // request.
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

/// A response whose body length is known; the server adds `Content-Length`.
pub fn json(status: StatusCode, media_type: &'static str, body: String) -> http::Response<String> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
