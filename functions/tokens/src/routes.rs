//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};
use shared::UserId;

use crate::{bulk, token};

/// Sends a request to its handler.
///
/// # Errors
/// `invalid_id`, `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    match (request.path().as_slice(), request.method) {
        (["users", user, "token"], method) => {
            let user = UserId::parse(user)?;
            match method {
                Method::Get => token::read(app, request, &user).await,
                Method::Put => token::put(app, request, &user).await,
                Method::Delete => token::delete(app, request, &user).await,
                _ => Err(Error::method_not_allowed("GET, HEAD, PUT, DELETE")),
            }
        }
        (["tokens"], Method::Put) => bulk::put(app, request).await,
        (["tokens"], _) => Err(Error::method_not_allowed("PUT")),
        (["tokens", "prune"], Method::Post) => bulk::prune(app, request).await,
        (["tokens", "prune"], _) => Err(Error::method_not_allowed("POST")),
        _ => Err(Error::not_found("this path")),
    }
}
