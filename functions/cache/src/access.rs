//! Access rules of resources, checked before any look-up, so that a hit reveals nothing.

use runtime::http::auth;
use runtime::{App, Code, Error, Request};
use shared::auth::Scope;

use crate::served::Target;
use resources::Access;

/// # Errors
/// Token errors; `forbidden`.
pub fn check(app: &App, request: &Request, target: &Target) -> Result<(), Error> {
    let access = &target.served.resource.access;
    if *access == Access::Public {
        return Ok(());
    }
    let claims = app.authenticate(request)?;
    let Access::Subject(at) = access else {
        return auth::require(&claims, Scope::CacheRead);
    };
    let is_own = target.params.get(*at).is_some_and(|subject| claims.is_subject(subject));
    if is_own || claims.has(Scope::CacheRead) {
        return Ok(());
    }
    let scope = Scope::CacheRead.as_str();
    let problem = format!("the subject's own token or the scope {scope} is required");
    Err(Error::new(Code::Forbidden, problem))
}
