//! The component's routes.

use runtime::{App, Error, Method, Request, Response};
use shared::CampaignId;

use crate::users::Mode;
use crate::{campaign, push, responses, users};

/// Sends a request to its handler.
///
/// # Errors
/// `invalid_id`, `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &App, request: &Request) -> Result<Response, Error> {
    let path = request.path();
    let (id, what) = match path.as_slice() {
        ["campaigns", id, "push", rest @ ..] => {
            return route_push(app, request, id, rest).await;
        }
        ["campaigns", id] => (id, None),
        ["campaigns", id, what @ ("next" | "responses" | "users")] => (id, Some(*what)),
        _ => return Err(Error::not_found("this path")),
    };
    let id = CampaignId::parse(id)?;
    match (what, request.method) {
        (None, Method::Get) => campaign::progress(app, request, &id).await,
        (None, Method::Delete) => campaign::delete(app, request, &id).await,
        (None, _) => Err(Error::method_not_allowed("GET, HEAD, DELETE")),
        (Some("next"), Method::Post) => users::next(app, request, &id).await,
        (Some("next"), _) => Err(Error::method_not_allowed("POST")),
        (Some("responses"), Method::Get) => responses::page(app, request, &id).await,
        (Some("responses"), Method::Post) => responses::add(app, request, &id).await,
        (Some("responses"), _) => Err(Error::method_not_allowed("GET, HEAD, POST")),
        (_, Method::Put) => users::add(app, request, &id, Mode::Replace).await,
        (_, Method::Post) => users::add(app, request, &id, Mode::Append).await,
        (_, _) => Err(Error::method_not_allowed("PUT, POST")),
    }
}

async fn route_push(
    app: &App,
    request: &Request,
    id: &str,
    rest: &[&str],
) -> Result<Response, Error> {
    if !matches!(rest, [] | ["cancel" | "pause" | "redrive" | "resume"]) {
        return Err(Error::not_found("this path"));
    }
    let id = CampaignId::parse(id)?;
    match (rest, request.method) {
        ([], Method::Get) => push::get(app, request, &id).await,
        ([], Method::Put) => push::put(app, request, &id).await,
        ([], _) => Err(Error::method_not_allowed("GET, HEAD, PUT")),
        (["redrive"], Method::Post) => push::redrive(app, request, &id).await,
        ([action], Method::Post) => push::control(app, request, &id, action).await,
        (_, _) => Err(Error::method_not_allowed("POST")),
    }
}
