//! The caller of a request: its bearer token, verified once and remembered, and its scopes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use shared::auth::{Claims, KeySet, Scope};
use shared::{Code, Error, UserId};

use crate::Request;

/// Verified tokens that an instance remembers. An instance serves 128 requests by default, so it
/// rarely sees more.
const REMEMBERED_MAX: usize = 256;

/// Verifies tokens and remembers valid ones until they expire: verifying a signature costs more
/// than all the rest of a small request.
pub(crate) struct Authenticator {
    remembered: RefCell<BTreeMap<String, Rc<Claims>>>,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        Self { remembered: RefCell::new(BTreeMap::new()) }
    }

    /// The claims of the request's token at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// `auth_not_configured`, `unauthorized` or `token_expired`.
    pub(crate) fn authenticate(
        &self,
        keys: &KeySet,
        request: &Request,
        now_ms: i64,
    ) -> Result<Rc<Claims>, Error> {
        let now_s = now_ms as f64 / 1000.0;
        // Without keys the header is not read: `auth_not_configured` takes precedence over any
        // problem of the header.
        let token = if keys.is_empty() { "" } else { bearer(request)? };
        let mut remembered = self.remembered.borrow_mut();
        if let Some(claims) = remembered.get(token)
            && now_s < claims.accepted_until_s()
        {
            return Ok(Rc::clone(claims));
        }
        let claims = Rc::new(keys.verify(token, now_s)?);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(token.to_owned(), Rc::clone(&claims));
        Ok(claims)
    }
}

impl Authenticator {
    /// The request's token, unless it is known to be valid.
    pub(crate) fn unknown_token<'r>(&self, request: &'r Request, now_ms: i64) -> Option<&'r str> {
        let token = bearer(request).ok()?;
        let remembered = self.remembered.borrow();
        let claims = remembered.get(token);
        let is_valid = claims.is_some_and(|c| (now_ms as f64 / 1000.0) < c.accepted_until_s());
        (!is_valid).then_some(token)
    }
}

impl Default for Authenticator {
    fn default() -> Self {
        Self::new()
    }
}

/// The credentials of the scheme `Bearer` (RFC 6750 §2.1; the scheme's case does not matter).
fn bearer(request: &Request) -> Result<&str, Error> {
    let Some(value) = request.header_or_invalid("authorization").map_err(not_bearer)? else {
        return Err(unauthorized("a bearer token is required"));
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(unauthorized("the Authorization header is not a bearer token")),
    }
}

/// A header that is not text or appears twice counts as missing credentials.
fn not_bearer(error: Error) -> Error {
    unauthorized(error.detail())
}

fn unauthorized(detail: &str) -> Error {
    Error::new(Code::Unauthorized, detail)
}

/// Requires a scope.
///
/// ```
/// use runtime::http::auth;
/// use runtime::{App, Error, Request, Response};
/// use shared::auth::Scope;
///
/// async fn route(app: &App, request: &Request) -> Result<Response, Error> {
///     let claims = app.authenticate(request)?; // 401 without a valid token
///     auth::require(&claims, Scope::OpsRead)?; // 403 without the scope
///     Ok(Response::json(200, "{}"))
/// }
/// ```
///
/// # Errors
/// `forbidden`, naming the scope.
pub fn require(claims: &Claims, scope: Scope) -> Result<(), Error> {
    if claims.has(scope) {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden, format!("the scope {} is required", scope.as_str())))
}

/// Requires the token of `user`, or a scope.
///
/// # Errors
/// `forbidden`, naming the scope.
pub fn require_self_or(claims: &Claims, user: &UserId, scope: Scope) -> Result<(), Error> {
    if claims.is_subject(user.as_str()) || claims.has(scope) {
        return Ok(());
    }
    let scope = scope.as_str();
    Err(Error::new(
        Code::Forbidden,
        format!("the user's own token or the scope {scope} is required"),
    ))
}
