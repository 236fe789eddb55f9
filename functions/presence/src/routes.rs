//! The component's routes.

use runtime::{App, Error, Method, Request, Response};
use shared::UserId;

use crate::presence;

/// Sends a request to its handler.
///
/// # Errors
/// `invalid_id`, `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &App, request: &Request) -> Result<Response, Error> {
    match (request.path().as_slice(), request.method) {
        (["presence"], Method::Get) => presence::count(app, request).await,
        (["presence"], Method::Post) => presence::many(app, request).await,
        (["presence"], _) => Err(Error::method_not_allowed("GET, HEAD, POST")),
        (["presence", user], method) => {
            let user = UserId::parse(user)?;
            match method {
                Method::Get => presence::one(app, request, &user).await,
                _ => Err(Error::method_not_allowed("GET, HEAD")),
            }
        }
        _ => Err(Error::not_found("this path")),
    }
}
