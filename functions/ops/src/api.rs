//! `GET /openapi.json`: the API, as the crate `openapi` describes it.

use runtime::{Error, Request, Response};
use xxhash_rust::xxh3::xxh3_64;

/// docs/openapi.json without white space (`build.rs`).
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Answers the document, or 304. It changes with a deployment only.
///
/// # Errors
/// `invalid_field` for an `If-None-Match` that is not text.
pub fn document(request: &Request) -> Result<Response, Error> {
    let etag = format!("\"{:016x}\"", xxh3_64(DOCUMENT.as_bytes()));
    let known = request.header_list("if-none-match")?;
    let is_known = known
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag);
    let response = match is_known {
        true => Response::empty(304),
        false => Response::json(200, DOCUMENT),
    };
    Ok(response.with("etag", etag).with("cache-control", "public, max-age=300"))
}
