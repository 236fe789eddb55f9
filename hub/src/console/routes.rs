//! The console's routes. The page and its files are public, and so are the documents beside them; everything else needs a token with the
//! scope `ops:read`, in `Authorization` only: URLs are logged. No answer allows another origin to
//! read it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::header::HeaderMap;
use http::{StatusCode, Uri};
use native::http::bearer;
use native::http::problem::{Refusal, json};
use shared::auth::{Claims, Scope};
use shared::path::segments;
use shared::{Code, Error, UserId};
use tower_http::services::ServeDir;

use crate::console::{Console, page};
use crate::session::token::{expiry, now_s};

type Shared = State<Arc<Console>>;
type Answer = Result<Response, Refusal>;

impl Console {
    /// Every path of the console.
    pub(super) fn router(self: Arc<Self>) -> Router {
        let router = match &self.app.config.console.site {
            // Static files, with types, ranges and a 404 for what is not below the directory.
            Some(dir) => Router::new().nest_service("/site", ServeDir::new(dir)),
            None => Router::new(),
        };
        router
            .route("/console/live", get(live).fallback(only_get))
            .route("/console/fleet", get(fleet).fallback(only_get))
            .route("/console/users/{id}", get(user).fallback(only_get))
            .merge(page::router(&self.app.config.console))
            .fallback(unknown)
            .with_state(self)
    }

    /// The claims of a token that may read the hub's state.
    ///
    /// # Errors
    /// `unauthorized`, `token_expired`, `auth_not_configured`, `auth_unavailable`; `forbidden` without the scope.
    async fn authorize(&self, headers: &HeaderMap) -> Result<Claims, Error> {
        let keys = &self.app.config.keys;
        let token = match bearer(headers)? {
            // Without a key, the answer is the same with and without a token.
            None if keys.is_empty() => "",
            None => return Err(Error::new(Code::Unauthorized, "the token is missing")),
            Some(token) => token,
        };
        keys.prepare(token).await;
        let claims = keys.verify(token, now_s())?;
        if !claims.has(Scope::OpsRead) {
            let scope = Scope::OpsRead.as_str();
            return Err(Error::new(Code::Forbidden, format!("the scope {scope} is required")));
        }
        Ok(claims)
    }
}

async fn live(State(console): Shared, headers: HeaderMap) -> Answer {
    let claims = console.authorize(&headers).await?;
    Ok(console.watch(expiry(claims.accepted_until_s()))?)
}

async fn fleet(State(console): Shared, headers: HeaderMap) -> Answer {
    console.authorize(&headers).await?;
    Ok(of_json(&console.fleet().await?))
}

async fn user(State(console): Shared, headers: HeaderMap, uri: Uri) -> Answer {
    console.authorize(&headers).await?;
    // Decoded once, as paths of the functions are.
    let id = segments(uri.path())?.pop().unwrap_or_default();
    Ok(of_json(&console.user(&UserId::parse(&id)?).await))
}

fn of_json(value: &serde_json::Value) -> Response {
    json(StatusCode::OK, "application/json", value.to_string()).map(Body::from)
}

pub(super) async fn only_get() -> Refusal {
    Error::method_not_allowed("GET, HEAD").into()
}

async fn unknown() -> Refusal {
    Error::not_found("this path").into()
}
