//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};

use shared::UserId;

use crate::{admin, api, erase, health, keys, metrics, stats};

/// Sends a request to its handler.
///
/// # Errors
/// `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    match (request.path().as_slice(), request.method) {
        (["healthz"], Method::Get) => Ok(Response::alive()),
        (["readyz"], Method::Get) => health::ready(app).await,
        (["openapi.json"], Method::Get) => api::document(request),
        (["stats"], Method::Get) => stats::stats(app, request).await,
        (["keys"], Method::Get) => keys::keys(app, request).await,
        (["metrics"], Method::Get) => metrics::metrics(app, request).await,
        (["healthz" | "readyz" | "openapi.json" | "stats" | "keys" | "metrics"], _) => {
            Err(Error::method_not_allowed("GET, HEAD"))
        }
        (["admin", "migrate"], Method::Post) => admin::migrate(app, request).await,
        (["admin", "relay"], Method::Post) => admin::relay(app, request).await,
        (["admin", "prune"], Method::Post) => admin::prune(app, request).await,
        (["admin", "migrate" | "prune" | "relay"], _) => Err(Error::method_not_allowed("POST")),
        (["users", user], method) => {
            let user = UserId::parse(user)?;
            match method {
                Method::Delete => erase::erase(app, request, &user).await,
                _ => Err(Error::method_not_allowed("DELETE")),
            }
        }
        _ => Err(Error::not_found("this path")),
    }
}
