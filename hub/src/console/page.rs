//! The page and its files: public, since they hold no data.

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use crate::config::console::ConsoleAccess;
use crate::console::routes::only_get;

const HTML: &str = include_str!("page.html");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The routes of the page, which talks to this hub and to the functions only.
pub(super) fn router<S: Clone + Send + Sync + 'static>(access: &ConsoleAccess) -> Router<S> {
    let policy = policy(access);
    let answer = move || std::future::ready(page(policy.clone()));
    Router::new()
        .route("/console", get(answer).fallback(only_get))
        .route("/console/", get(without_slash).fallback(only_get))
}

/// The page's own paths are relative to `/console`; a proxy may serve it below another path.
async fn without_slash() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "../console")]).into_response()
}

fn page(policy: HeaderValue) -> Response {
    let head = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, policy),
        // The token may be in the fragment; no other page is to hear of this one.
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (OPENER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (head, HTML).into_response()
}

/// Allows the page's own files, and requests to this hub and to the functions.
fn policy(access: &ConsoleAccess) -> HeaderValue {
    let functions = access.functions_origin().map_or_else(String::new, |it| format!(" {it}"));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'{functions}; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    // An origin has no character that a header has not.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}
