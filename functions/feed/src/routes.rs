//! The component's routes.

use runtime::{Error, Method, RecordApp, Request, Response};
use shared::UserId;
use shared::ids::check_id;

use crate::{change, entry, read};

/// Sends a request to its handler.
///
/// # Errors
/// `invalid_id`, `not_found`, `method_not_allowed`, and the handler's errors.
pub async fn route(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    match request.path().as_slice() {
        ["users", user, "notifications"] => {
            let user = UserId::parse(user)?;
            match request.method {
                Method::Get => read::read(app, request, &user).await,
                _ => Err(Error::method_not_allowed("GET, HEAD")),
            }
        }
        ["users", user, "notifications", "read"] => {
            let user = UserId::parse(user)?;
            match request.method {
                Method::Post => change::mark_read(app, request, &user).await,
                _ => Err(Error::method_not_allowed("POST")),
            }
        }
        ["users", user, "notifications", id] => {
            let user = UserId::parse(user)?;
            check_id(id, "notification id")?;
            match request.method {
                Method::Get => entry::read(app, request, &user, id).await,
                Method::Delete => change::delete(app, request, &user, id).await,
                _ => Err(Error::method_not_allowed("GET, HEAD, DELETE")),
            }
        }
        _ => Err(Error::not_found("this path")),
    }
}
