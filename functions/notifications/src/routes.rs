//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};

use crate::{batch, create, import};

/// Sends a request to its handler.
///
/// # Errors
/// `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    match request.path().as_slice() {
        ["notifications"] => match request.method {
            Method::Post => create::create(app, request).await,
            _ => Err(Error::method_not_allowed("POST")),
        },
        ["notifications", "batch"] => match request.method {
            Method::Post => batch::create(app, request).await,
            _ => Err(Error::method_not_allowed("POST")),
        },
        ["notifications", "import"] => match request.method {
            Method::Post => import::import(app, request).await,
            _ => Err(Error::method_not_allowed("POST")),
        },
        _ => Err(Error::not_found("this path")),
    }
}
