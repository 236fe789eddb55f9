//! The demo page of `make up` (`--demo`): `GET /demo`, and `POST /demo/token/{user}`, which gives
//! its page tokens of two users, and one that creates notifications. Without a login, so it answers
//! only pages that this hub served on this machine; [`config`](crate::config) refuses it elsewhere.

mod visitor;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode, Uri};
use native::http::problem::Refusal;
use serde_json::json;
use shared::auth::Scope;
use shared::path::segments;
use shared::{Code, Error};
use url::Url;

use crate::assets;
use crate::config::demo::Demo;
use crate::limits::DEMO_TOKEN_TTL;

/// The subjects of tokens and their scopes; the last one sends to the others.
const SUBJECTS: [(&str, Option<Scope>); 3] =
    [("alice", None), ("bob", None), ("sender", Some(Scope::NotificationsWrite))];

/// The routes of the demo.
pub(crate) fn router(demo: Demo) -> Router {
    Router::new()
        .route("/demo", any(page))
        .route("/demo/token/{user}", any(token))
        .with_state(Arc::new(demo))
}

async fn page(
    State(demo): State<Arc<Demo>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if !matches!(method, Method::GET | Method::HEAD) {
        return Err(Error::method_not_allowed("GET, HEAD").into());
    }
    let host = visitor::host(&headers)?;
    let Some(page) = assets::page("demo.html") else {
        return Err(Error::new(Code::Internal, "the demo page was not built in").into());
    };
    let html = page.text().replace("{{hub}}", &format!("http://{host}"));
    let html = html.replace("{{functions}}", &escaped(&demo.functions));
    let mut response = html.into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::try_from(policy(host, &demo.functions)) {
        answer.insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Scripts and styles come from the hub and from nowhere else, none is inline, and none may make
/// HTML out of text.
fn policy(host: &str, functions: &str) -> String {
    let functions = Url::parse(functions).map(|url| url.origin().ascii_serialization());
    let functions = functions.unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self' ws://{host} {functions}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

async fn token(
    State(demo): State<Arc<Demo>>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    // Not by axum's `Path`, whose own rejection of %ff is text/plain.
    let user = segments(uri.path())?.pop().unwrap_or_default();
    let Some((user, scope)) = SUBJECTS.into_iter().find(|(known, _)| *known == user) else {
        return Err(Error::not_found("this user of the demo").into());
    };
    if method != Method::POST {
        return Err(Error::method_not_allowed("POST").into());
    }
    visitor::is_own_page(&headers)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let scope = scope.map_or("", Scope::as_str);
    let token = demo.signer.sign(user, scope, now + DEMO_TOKEN_TTL);
    let token = token.map_err(|error| Error::new(Code::Internal, error.to_string()))?;
    let body = json!({"token": token, "expiresIn": DEMO_TOKEN_TTL.as_secs()}).to_string();
    let head = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, head, body).into_response())
}
