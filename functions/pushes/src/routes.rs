//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};

use crate::{addresses, claim, key, prune, settle, test_push};

/// Sends a request to its handler.
///
/// # Errors
/// `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    match (request.path().as_slice(), request.method) {
        (["push", "key"], Method::Get) => key::read(request).await,
        (["push", "key"], _) => Err(Error::method_not_allowed("GET, HEAD")),
        (["push", "test"], Method::Post) => test_push::test(app, request).await,
        (["push", "claim"], Method::Post) => claim::claim(app, request).await,
        (["push", "settle"], Method::Post) => settle::settle(app, request).await,
        (["push", "addresses"], Method::Post) => addresses::read(app, request).await,
        (["push", "prune"], Method::Post) => prune::prune(app, request).await,
        (["push", "test" | "claim" | "settle" | "addresses" | "prune"], _) => {
            Err(Error::method_not_allowed("POST"))
        }
        _ => Err(Error::not_found("this path")),
    }
}
