//! `GET /openapi.json`: the document that the crate `openapi` generates.

use runtime::http::conditional;
use runtime::{Error, Request, Response};

/// docs/openapi.json, minified (`build.rs`).
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Answers the document, or 304. It only changes with a deployment.
///
/// # Errors
/// `invalid_field` for an `If-None-Match` that is not text.
pub fn document(request: &Request) -> Result<Response, Error> {
    let response = conditional::json(&request.header_list("if-none-match")?, DOCUMENT);
    Ok(response.with("cache-control", "public, max-age=300"))
}
