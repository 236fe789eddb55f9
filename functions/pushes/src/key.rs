//! `GET /push/key`.

use runtime::app::config;
use runtime::spin::variables;
use runtime::{Code, Error, Request, Response};
use serde_json::json;

/// Answers `{"key"}`: the key that a browser subscribes with. It is public.
///
/// # Errors
/// `not_found` without a configured key; `internal` if it is invalid.
pub async fn read(request: &Request) -> Result<Response, Error> {
    request.query(&[])?;
    let key = config::vapid_public_key(variables::get).await?;
    let key = key.ok_or_else(|| {
        Error::new(Code::NotFound, "Web Push is not configured: set vapid_public_key")
    })?;
    Ok(Response::json(200, json!({"key": key}).to_string()))
}
