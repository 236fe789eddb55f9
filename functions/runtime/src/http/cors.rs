//! CORS (Fetch standard §3.2): exact origins from the variable `cors_origins`, no credentials.

use crate::{Request, Response};

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
const REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, if-none-match, x-request-id";
const EXPOSED_HEADERS: &str = "ETag, Location, Retry-After, X-Request-Id";
/// Browsers cap what they keep; Chromium at two hours.
const MAX_AGE_S: &str = "7200";

/// The configured origins.
#[derive(Debug, Default)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// Reads a comma-separated list.
    pub fn new(list: &str) -> Self {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Self { origins: origins.map(str::to_owned).collect() }
    }

    /// The answer to a preflight, if the request is one.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let is_preflight = !self.origins.is_empty()
            && request.method == crate::Method::Options
            && request.header("origin").is_some()
            && request.header("access-control-request-method").is_some();
        is_preflight.then(|| {
            Response::empty(204)
                .with("access-control-allow-methods", METHODS)
                .with("access-control-allow-headers", REQUEST_HEADERS)
                .with("access-control-max-age", MAX_AGE_S)
        })
    }

    /// Adds what a browser needs to let a page of an allowed origin read the answer.
    pub fn apply(&self, origin: Option<&str>, mut response: Response) -> Response {
        if self.origins.is_empty() {
            return response;
        }
        // Also without an Origin: a cache must not hand this answer to a page of another origin.
        response = response.vary("Origin");
        match origin {
            Some(origin) if self.origins.iter().any(|known| known == origin) => response
                .with("access-control-allow-origin", origin)
                .with("access-control-expose-headers", EXPOSED_HEADERS),
            _ => response,
        }
    }
}
