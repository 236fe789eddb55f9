//! The component's routes.

use runtime::{App, Error, Method, Request, Response};

use crate::{dead, index, name, receive, send, settle, stats};

/// Sends a request to its handler.
///
/// # Errors
/// `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &App, request: &Request) -> Result<Response, Error> {
    let path = request.path();
    let (queue, rest) = match path.as_slice() {
        ["queues"] if request.method == Method::Get => return index::list(app, request).await,
        ["queues"] => return Err(Error::method_not_allowed("GET, HEAD")),
        ["queues", queue, rest @ ..] => (queue, rest),
        _ => return Err(Error::not_found("this path")),
    };
    let queue = name::parse(queue)?;
    match (rest, request.method) {
        ([], Method::Get) => stats::stats(app, request, &queue).await,
        (["messages"], Method::Post) => send::send(app, request, &queue).await,
        (["receive"], Method::Post) => receive::receive(app, request, &queue).await,
        (["ack"], Method::Post) => settle::ack(app, request, &queue).await,
        (["nack"], Method::Post) => settle::nack(app, request, &queue).await,
        (["extend"], Method::Post) => settle::extend(app, request, &queue).await,
        (["dead"], Method::Get) => dead::page(app, request, &queue).await,
        (["redrive"], Method::Post) => dead::redrive(app, request, &queue).await,
        ([] | ["dead"], _) => Err(Error::method_not_allowed("GET, HEAD")),
        (["messages" | "receive" | "ack" | "nack" | "extend" | "redrive"], _) => {
            Err(Error::method_not_allowed("POST"))
        }
        _ => Err(Error::not_found("this path")),
    }
}
