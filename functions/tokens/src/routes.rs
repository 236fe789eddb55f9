//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};
use shared::{DeviceName, UserId};

use crate::{bulk, devices, preferences, token};

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
        (["users", user, "devices"], method) => {
            let user = UserId::parse(user)?;
            match method {
                Method::Get => devices::list(app, request, &user).await,
                _ => Err(Error::method_not_allowed("GET, HEAD")),
            }
        }
        (["users", user, "devices", name], method) => {
            let (user, name) = (UserId::parse(user)?, DeviceName::parse(name)?);
            match method {
                Method::Get => devices::read(app, request, &user, &name).await,
                Method::Put => devices::put(app, request, &user, &name).await,
                Method::Delete => devices::delete(app, request, &user, &name).await,
                _ => Err(Error::method_not_allowed("GET, HEAD, PUT, DELETE")),
            }
        }
        (["users", user, "preferences"], method) => {
            let user = UserId::parse(user)?;
            match method {
                Method::Get => preferences::read(app, request, &user).await,
                Method::Put => preferences::put(app, request, &user).await,
                _ => Err(Error::method_not_allowed("GET, HEAD, PUT")),
            }
        }
        (["tokens"], Method::Put) => bulk::put(app, request).await,
        (["tokens"], _) => Err(Error::method_not_allowed("PUT")),
        (["tokens", "prune"], Method::Post) => bulk::prune(app, request).await,
        (["tokens", "read"], Method::Post) => bulk::read(app, request).await,
        (["tokens", "prune" | "read"], _) => Err(Error::method_not_allowed("POST")),
        _ => Err(Error::not_found("this path")),
    }
}
