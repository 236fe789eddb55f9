//! CORS (Fetch standard §3.2): exact origins from the variable `cors_origins`, no credentials.

use super::{Method, Request, Response};

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
const REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, if-none-match, x-request-id";
const EXPOSED_HEADERS: &str = "ETag, Location, Retry-After, X-Request-Id";
/// Browsers cap the time for which they cache a preflight; Chromium at two hours.
const MAX_AGE_S: &str = "7200";

/// The configured origins; without any, CORS is off.
#[derive(Debug, Default)]
pub(crate) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// The origins of a comma-separated list.
    pub(crate) fn new(list: &str) -> Self {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Self { origins: origins.map(str::to_owned).collect() }
    }

    /// The response to a preflight; `None` for any other request.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let is_preflight = !self.origins.is_empty()
            && request.method == Method::Options
            && request.header("origin").is_some()
            && request.header("access-control-request-method").is_some();
        is_preflight.then(|| {
            Response::empty(204)
                .with("access-control-allow-methods", METHODS)
                .with("access-control-allow-headers", REQUEST_HEADERS)
                .with("access-control-max-age", MAX_AGE_S)
        })
    }

    /// Adds the headers with which a browser lets pages of an allowed origin read the response.
    pub(crate) fn apply(&self, origin: Option<&str>, mut response: Response) -> Response {
        if self.origins.is_empty() {
            return response;
        }
        // Even without `Origin`: no cache may serve this response to a page of another origin.
        response = response.vary("Origin");
        match origin {
            Some(origin) if self.origins.iter().any(|known| known == origin) => response
                .with("access-control-allow-origin", origin)
                .with("access-control-expose-headers", EXPOSED_HEADERS),
            _ => response,
        }
    }
}
