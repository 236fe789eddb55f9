//! The page and its files: public, since they hold no data.

use std::future::ready;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
};
use http::{Method, StatusCode};
use native::http::problem::Refusal;
use shared::{Code, Error};

use crate::assets;
use crate::config::console::ConsoleAccess;
use crate::console::routes::only_get;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The routes of the page, which talks to this hub and to the functions only.
pub(super) fn router<S: Clone + Send + Sync + 'static>(access: &ConsoleAccess) -> Router<S> {
    let policy = policy(access);
    let answer =
        move |method: Method, headers: HeaderMap| ready(page(&method, &headers, policy.clone()));
    Router::new()
        .route("/console", get(answer).fallback(only_get))
        .route("/console/", get(without_slash).fallback(only_get))
        .merge(assets::router())
}

/// The page's own paths are relative to `/console`; a proxy may serve it below another path.
async fn without_slash() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "../console")]).into_response()
}

fn page(method: &Method, headers: &HeaderMap, policy: HeaderValue) -> Result<Response, Refusal> {
    let Some(page) = assets::page("console.html") else {
        return Err(Error::new(Code::Internal, "the console's page was not built in").into());
    };
    let mut response = page.answer(method, headers)?;
    let answer = response.headers_mut();
    answer.insert(CONTENT_SECURITY_POLICY, policy);
    // The token may be in the fragment; no other page may learn of this one.
    answer.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
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
