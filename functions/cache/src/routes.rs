//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};

use crate::served::Target;
use crate::{invalidate, page, read, summary};

/// Sends a request to its handler.
///
/// # Errors
/// `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    match (request.path().as_slice(), request.method) {
        (["cache"], Method::Get) => summary::read(app, request).await,
        (["cache"], _) => Err(Error::method_not_allowed("GET, HEAD")),
        (["cache", "invalidate"], Method::Post) => invalidate::tags(app, request).await,
        (["cache", "invalidate"], _) => Err(Error::method_not_allowed("POST")),
        (["cache", "read"], Method::Post) => page::read(app, request).await,
        (["cache", "read"], _) => Err(Error::method_not_allowed("POST")),
        (["cache", path @ ..], method) => {
            let target = Target::find(path)?;
            match method {
                Method::Get => read::read(app, request, target).await,
                Method::Delete => invalidate::one(app, request, &target).await,
                _ => Err(Error::method_not_allowed("GET, HEAD, DELETE")),
            }
        }
        _ => Err(Error::not_found("this path")),
    }
}
