//! Access rules of resources, checked before any look-up, so that a hit reveals nothing.

use std::rc::Rc;

use runtime::http::auth;
use runtime::{Code, Error};
use shared::auth::{Claims, Scope};

use crate::served::Target;
use resources::Access;

/// Checks one target. `claims` returns those of the request's token, and is called only if the
/// resource is not public.
///
/// # Errors
/// Token errors; `forbidden`.
pub fn check(
    claims: impl FnOnce() -> Result<Rc<Claims>, Error>,
    target: &Target,
) -> Result<(), Error> {
    let access = &target.served.resource.access;
    if *access == Access::Public {
        return Ok(());
    }
    let claims = claims()?;
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
