//! `GET /cache/{resource}[/{param}…]`.

use resources::Access;
use runtime::http::cached::{self, Audience};
use runtime::{App, Error, Request, Response};

use crate::served::Target;
use crate::{access, source};

/// Answers from the cache or from the source.
///
/// # Errors
/// Request errors; `wrong_type`. A failure of the source is reported as an answer.
pub async fn read(app: &App, request: &Request, target: Target) -> Result<Response, Error> {
    access::check(|| app.authenticate(request), &target)?;
    if !request.query.is_empty() {
        request.query(&[])?;
    }
    let audience = match target.served.resource.access {
        Access::Public => Audience::Public,
        Access::Subject(_) | Access::Scope => Audience::Private,
    };
    let (key, tags) = (target.key(), target.tags());
    let resource = cached::Resource { key: &key, tags: &tags, audience };
    let policy = &target.served.policy;
    cached::read(app.cache(), request, resource, policy, source::fetch_of(&target)).await
}
