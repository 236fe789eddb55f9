//! `GET /openapi.json`: the document that the crate `openapi` generates.

use runtime::{Error, Request, Response, conditional};
use xxhash_rust::xxh3::xxh3_64;

/// docs/openapi.json, minified (`build.rs`).
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Answers the document, or 304. It only changes with a deployment.
///
/// # Errors
/// `invalid_field` for an `If-None-Match` that is not text.
pub fn document(request: &Request) -> Result<Response, Error> {
    let etag = format!("{:016x}", xxh3_64(DOCUMENT.as_bytes()));
    let response = match conditional::names(&request.header_list("if-none-match")?, &etag) {
        true => Response::empty(304),
        false => Response::json(200, DOCUMENT),
    };
    Ok(response.with("etag", format!("\"{etag}\"")).with("cache-control", "public, max-age=300"))
}
