//! `GET /ws/notifications`: from a request to a session.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, StatusCode, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use shared::{Code, Error};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::auth::{Authority, now_s};
use crate::handshake::{self, Accepted};
use crate::http::{App, Refusal};
use crate::session::Session;

/// How long a handshake waits for the user's position. Later the socket is accepted all the same:
/// what is published meanwhile is held, and the welcome comes when the position is known.
const POSITION_DEADLINE: Duration = Duration::from_secs(3);
/// How long the connection may take to become a socket once the answer is given.
const UPGRADE_DEADLINE: Duration = Duration::from_secs(10);

/// Checks, takes a seat, answers 101, and lets the session run.
pub async fn open(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let accepted = handshake::check(&app.config, &parts.headers, parts.uri.query(), now_s())?;
    let accept = accept_key(&parts.headers, parts.version)?;
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Err(not_a_websocket("the connection cannot be upgraded").into());
    };
    let Accepted { user, claims, protocol, is_offered } = accepted;
    let mut seat = app.registry.join(user, protocol)?;
    if timeout(POSITION_DEADLINE, seat.ready()).await.is_err() {
        tracing::debug!("accepting a socket whose position is not known yet");
    }
    let authority = Authority::new(app.config.clone(), &claims);
    let ping_interval = app.config.pace.ping_interval;
    // Ties the request's id to the socket's number. The session keeps no span: it would cost
    // every idle socket memory.
    let socket = seat.id();
    tracing::debug!(socket, user = %seat.user(), protocol = protocol.name(), "socket is open");
    let session = Session { seat, protocol, authority, ping_interval };
    app.sessions.spawn(run(session, upgrade));

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if is_offered {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol.name()));
    }
    Ok(response)
}

async fn run(session: Session, upgrade: OnUpgrade) {
    let upgraded = match timeout(UPGRADE_DEADLINE, upgrade).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => return tracing::debug!(%error, "the client left in the handshake"),
        Err(_) => return tracing::debug!("the handshake did not come to its end"),
    };
    match into_connection(upgraded) {
        Some((connection, early)) => session.run(connection, early).await,
        None => tracing::error!("an upgraded connection is not of the server's kind"),
    }
}

/// The bare connection: what hyper needed around it is gone for the rest of the socket's life.
fn into_connection(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf.to_vec()))
}

/// RFC 6455 §4.2.1, as far as it is not checked before.
fn accept_key(headers: &HeaderMap, version: Version) -> Result<HeaderValue, Error> {
    let has = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).into_iter();
        let mut words = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        words.any(|text| text.trim().eq_ignore_ascii_case(word))
    };
    if version != Version::HTTP_11 || !has(CONNECTION, "upgrade") || !has(UPGRADE, "websocket") {
        return Err(not_a_websocket("this path takes WebSocket handshakes only"));
    }
    if !has(SEC_WEBSOCKET_VERSION, "13") {
        return Err(not_a_websocket("the WebSocket version must be 13"));
    }
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
        return Err(not_a_websocket("`Sec-WebSocket-Key` is missing"));
    };
    HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|_| not_a_websocket("`Sec-WebSocket-Key` is not usable"))
}

fn not_a_websocket(detail: &str) -> Error {
    Error::field(Code::InvalidField, "Upgrade", detail)
}
