//! `GET /openapi.json`: the API, as the crate `openapi` describes it.

use runtime::http::conditional;
use runtime::{Error, Request, Response};

/// docs/openapi.json without white space (`build.rs`).
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Answers the document, or 304. It changes with a deployment only.
///
/// # Errors
/// `invalid_field` for an `If-None-Match` that is not text.
pub fn document(request: &Request) -> Result<Response, Error> {
    let response = conditional::json(&request.header_list("if-none-match")?, DOCUMENT);
    Ok(response.with("cache-control", "public, max-age=300"))
}
